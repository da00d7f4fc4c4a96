"""The training plan: hyperparameters with reasons, checkpoints, and the order of rows."""

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain.auto_hyperparameters import BaseShape, MemoryBudget
from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.training_plan import (
    TrainingPlan,
    checkpoint_schedule,
    plan_training,
)
from services.trainer.domain.tuning import Tuning
from shared.events import Hyperparameters, TrainingSpec

BASE = BaseShape(hidden_size=576, blocks=30)


def plan(rows: int = 320, **asked: Any) -> TrainingPlan:
    spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters.model_validate(asked))
    return plan_training("job", spec, "ft:base:org::x", rows, BASE, validation_rows=rows // 8)


def test_auto_values_are_decided_and_explained() -> None:
    chosen = plan()
    assert (chosen.batch_size, chosen.n_epochs, chosen.total_steps) == (4, 12.5, 1000)
    decided = {"batch_size", "n_epochs", "learning_rate", "n_checkpoints", "max_length", "early_stopping"}
    assert set(chosen.reasons) == decided | {"tuning", "lora_rank", "lora_alpha", "lora_targets"}
    assert chosen.reasons["n_epochs"].startswith("12.5 for 320 rows")


def test_the_used_hyperparameters_have_a_figure_for_each_auto() -> None:
    chosen = plan(lora_rank=4, n_checkpoints="3")
    used = chosen.used(Hyperparameters(lora_rank=4, general_metric="f1"))
    assert (used.n_epochs, used.batch_size, used.learning_rate) == (12.5, 4, chosen.learning_rate)
    assert (used.lora_rank, used.n_checkpoints, used.general_metric, used.tuning) == (4, 3, "f1", "lora")
    assert Hyperparameters.model_validate(used.model_dump()) == used
    assert plan(tuning="freeze").used(Hyperparameters(tuning="freeze")).lora_rank is None


def test_requested_values_are_used_without_a_reason() -> None:
    asked = {"n_epochs": 2, "batch_size": 10, "learning_rate": 0.01, "lora_rank": 4, "n_checkpoints": 2}
    asked |= {
        "early_stopping": False,
        "tuning": "lora",
        "lora_alpha": 8,
        "lora_targets": "attention",
        "max_length": 512,
    }
    chosen = plan(100, **asked)
    assert chosen.reasons == {}
    assert (chosen.total_steps, chosen.learning_rate) == (20, 0.01)
    assert chosen.tuning == Tuning(rank=4, alpha=8, targets="attention")
    assert chosen.checkpoint_steps == (10, 20)


@pytest.mark.parametrize(("row_tokens", "batch_size"), [(100, 16), (2_000, 2), (4_000, 1), (400_000, 1)])
def test_an_auto_batch_fits_into_memory(row_tokens: float, batch_size: int) -> None:
    budget = MemoryBudget(memory_bytes=16 * 2**30, row_tokens=row_tokens)
    chosen = plan_training("job", TrainingSpec(base_model="base"), "name", 5_000, BASE, budget=budget)
    assert chosen.batch_size == batch_size
    # 34 bytes in 16 bits and 68 in 32, by block and width.
    taken = batch_size * row_tokens * 30 * 576 * 68
    assert taken <= budget.memory_bytes / 2 or batch_size == 1
    assert ("GiB" in chosen.reasons["batch_size"]) == (batch_size < 16)


def test_a_requested_batch_size_is_used_at_any_memory() -> None:
    spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters(batch_size=16))
    budget = MemoryBudget(memory_bytes=2**30, row_tokens=4_000)
    assert plan_training("job", spec, "name", 5_000, BASE, budget=budget).batch_size == 16


def test_the_multiplier_scales_the_default_rate() -> None:
    assert plan(learning_rate_multiplier=0.5).learning_rate == pytest.approx(plan().learning_rate / 2)


def test_a_wider_model_gets_a_lower_learning_rate() -> None:
    spec = TrainingSpec(base_model="base")
    rates = [
        plan_training("job", spec, "name", 100, BaseShape(hidden_size=width, blocks=30)).learning_rate
        for width in (576, 2000, 4096)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[1] == pytest.approx(7.5e-4)


def test_a_models_own_weights_get_a_tenth_of_the_learning_rate_of_lora() -> None:
    lora, full = plan(), plan(tuning="full")
    assert full.learning_rate == pytest.approx(lora.learning_rate / 10, rel=0.05)
    assert "a tenth of LoRA's" in full.reasons["learning_rate"]
    assert full.tuning == Tuning(kind="full", targets="all-linear")


def test_freezing_trains_about_a_sixth_of_the_blocks_by_default() -> None:
    chosen = plan(tuning="freeze")
    assert (chosen.tuning.blocks, chosen.tuning.rank) == (5, 0)
    assert "the last 5 of 30" in chosen.reasons["freeze_blocks"]
    assert plan(tuning="freeze", freeze_blocks=30).tuning.blocks == 30


def test_lora_updates_are_scaled_by_two_at_every_rank() -> None:
    assert [plan(lora_rank=rank).tuning.alpha for rank in (4, 16, 64)] == [8, 32, 128]
    # Rank-stabilized: alpha / sqrt(rank).
    assert [plan(lora_rank=rank, use_rslora=True).tuning.alpha for rank in (4, 16, 64)] == [4, 8, 16]


@pytest.mark.parametrize(
    ("asked", "param", "message"),
    [
        ({"tuning": "full", "lora_rank": 8}, "lora_rank", "lora_rank does not apply to tuning 'full': leave it out"),
        ({"tuning": "freeze", "use_dora": True}, "use_dora", "use_dora does not apply to tuning 'freeze'"),
        ({"freeze_blocks": 2}, "freeze_blocks", "freeze_blocks does not apply to tuning 'lora'"),
        ({"tuning": "freeze", "freeze_blocks": 31}, "freeze_blocks", "is 31, but the base model has only 30 blocks"),
    ],
)
def test_contradicting_options_are_refused(asked: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(PlanRefused, match=message) as refused:
        plan(**asked)
    assert (refused.value.code, refused.value.param) == ("invalid_hyperparameter", param)


def test_dora_is_published_as_a_whole_model_and_rslora_as_an_adapter() -> None:
    dora, rslora = plan(use_dora=True).tuning, plan(use_rslora=True).tuning
    assert (dora.published_as, dora.makes_an_adapter) == ("full", False)
    assert (rslora.published_as, rslora.makes_an_adapter) == ("lora", True)


@pytest.mark.parametrize(
    ("rows", "epochs"), [(1, 15), (100, 15), (316, 12.5), (1000, 10), (3162, 6), (10_000, 2), (50_000, 2)]
)
def test_fewer_rows_are_read_more_often(rows: int, epochs: float) -> None:
    assert plan(rows).n_epochs == epochs


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(PlanRefused, match="no rows") as refused:
        plan(0)
    assert refused.value.code == "empty_training_split"


@given(total=st.integers(1, 500), count=st.integers(1, 100))
def test_checkpoints_are_evenly_spaced_and_end_with_the_last_step(total: int, count: int) -> None:
    steps = checkpoint_schedule(total, count)
    assert steps[-1] == total
    assert len(steps) == min(count, total)
    gaps = [b - a for a, b in zip((0, *steps), steps, strict=False)]
    assert max(gaps) - min(gaps) <= 1


@given(
    lengths=st.lists(st.integers(1, 900), min_size=1, max_size=200), epochs=st.floats(0.2, 4), batch=st.integers(1, 9)
)
def test_each_epoch_reads_each_row_once(lengths: list[int], epochs: float, batch: int) -> None:
    chosen = plan(len(lengths), n_epochs=epochs, batch_size=batch)
    order = chosen.row_order(lengths)
    assert len(order) == chosen.total_steps * chosen.batch_size
    for start in range(0, len(order), len(lengths)):
        seen = Counter(order[start : start + len(lengths)])
        assert max(seen.values()) == 1
    assert order == chosen.row_order(lengths)


def test_rows_of_similar_length_share_a_batch_and_the_seed_decides_the_order() -> None:
    lengths = [n % 97 for n in range(400)]
    chosen = plan(400, batch_size=4)
    order = chosen.row_order(lengths)
    batches = [[lengths[row] for row in order[i : i + 4]] for i in range(0, 400, 4)]
    spread = sum(max(batch) - min(batch) for batch in batches) / len(batches)
    assert spread < 10
    assert order != chosen.model_copy(update={"seed": 1}).row_order(lengths)


def test_steps_cover_the_requested_epochs() -> None:
    assert plan(101, n_epochs=1, batch_size=8).total_steps == math.ceil(101 / 8)


def test_rows_may_be_as_long_as_the_context_of_the_base_model() -> None:
    base = BASE.model_copy(update={"context": 2048})

    def plan(max_length: int | None) -> TrainingPlan:
        spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters(max_length=max_length))
        return plan_training("job", spec, "name", 100, base)

    assert plan(None).max_length == 2048
    assert "can read" in plan(None).reasons["max_length"]
    assert plan(512).max_length == 512
    with pytest.raises(PlanRefused, match="can read only 2048"):
        plan(4096)

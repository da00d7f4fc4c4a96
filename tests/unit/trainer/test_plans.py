"""Every hyperparameter is decided before training, and why; rows come in an order that is planned as a whole."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.domain.names import checkpoint_name, job_id_for_file, model_name
from services.trainer.domain.plan import PlanRefused, TrainingPlan, checkpoint_schedule, plan_training, row_order
from shared.events import Hyperparameters, TrainingSpec


def plan(rows: int = 320, **asked: float) -> TrainingPlan:
    spec = TrainingSpec(base_model="base", hyperparameters=Hyperparameters.model_validate(asked))
    return plan_training("job", spec, "ft:base:org::x", rows, hidden_size=576)


def test_what_is_auto_is_chosen_and_explained() -> None:
    chosen = plan()
    assert (chosen.batch_size, chosen.n_epochs, chosen.total_steps) == (4, 1.5, 120)
    assert set(chosen.reasons) == {"batch_size", "n_epochs", "learning_rate", "lora_rank", "n_checkpoints"}
    assert "120 steps" in chosen.reasons["n_epochs"]


def test_what_was_asked_for_is_taken_and_needs_no_reason() -> None:
    asked = {"n_epochs": 2, "batch_size": 10, "learning_rate": 0.01, "lora_rank": 4, "n_checkpoints": 2}
    chosen = plan(100, **asked)
    assert chosen.reasons == {}
    assert (chosen.total_steps, chosen.learning_rate, chosen.lora_rank, chosen.lora_alpha) == (20, 0.01, 4, 8)
    assert chosen.checkpoint_steps == (10, 20)


def test_the_multiplier_scales_the_default_rate() -> None:
    assert plan(learning_rate_multiplier=0.5).learning_rate == pytest.approx(plan().learning_rate / 2)


def test_a_wider_model_learns_in_smaller_steps() -> None:
    spec = TrainingSpec(base_model="base")
    rates = [plan_training("job", spec, "name", 100, width).learning_rate for width in (576, 2000, 4096)]
    assert rates == sorted(rates, reverse=True)
    assert rates[1] == pytest.approx(7.5e-4)


def test_fewer_rows_are_read_more_often() -> None:
    assert plan(40).n_epochs > plan(200).n_epochs > plan(2000).n_epochs


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(PlanRefused, match="no rows") as refused:
        plan(0)
    assert refused.value.code == "empty_training_split"


@given(total=st.integers(1, 500), count=st.integers(1, 100))
def test_checkpoints_are_spread_evenly_and_end_with_the_last_step(total: int, count: int) -> None:
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
    order = row_order(lengths, chosen)
    assert len(order) == chosen.total_steps * chosen.batch_size
    for start in range(0, len(order), len(lengths)):
        seen = Counter(order[start : start + len(lengths)])
        assert max(seen.values()) == 1
    assert order == row_order(lengths, chosen)


def test_rows_of_like_length_share_a_batch_and_the_seed_decides_the_order() -> None:
    lengths = [n % 97 for n in range(400)]
    chosen = plan(400, batch_size=4)
    order = row_order(lengths, chosen)
    batches = [[lengths[row] for row in order[i : i + 4]] for i in range(0, 400, 4)]
    spread = sum(max(batch) - min(batch) for batch in batches) / len(batches)
    assert spread < 10
    assert order != row_order(lengths, chosen.model_copy(update={"seed": 1}))


def test_names_are_those_that_clients_of_openai_know() -> None:
    name = model_name("base", "org", "my-suffix", "ftjob-1")
    assert name.startswith("ft:base:org:my-suffix:")
    assert checkpoint_name("base", "org", "my-suffix", "ftjob-1", 12) == f"{name}:ckpt-step-12"
    assert model_name("base", "org", None, "ftjob-1").count(":") == name.count(":")
    assert job_id_for_file("file-1") == job_id_for_file("file-1") != job_id_for_file("file-2")


def test_steps_cover_the_epochs_asked_for() -> None:
    assert plan(101, n_epochs=1, batch_size=8).total_steps == math.ceil(101 / 8)

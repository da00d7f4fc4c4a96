"""Warm starts: a job starts from an earlier checkpoint, with the same method or another."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from services.trainer.adapters.start_checkpoint import StartCheckpoint
from services.trainer.domain.tuning import Tuning
from tests.unit.trainer import in_process, tiny_model
from tests.unit.trainer.in_process import Trained

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

ROWS, HELD_OUT = tiny_model.rows(16), tiny_model.rows(5)
FIRST = {"n_epochs": 6, "batch_size": 4, "learning_rate": 0.01, "n_checkpoints": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module", params=[{"lora_rank": 4}, {"tuning": "full"}], ids=["lora", "full"])
def method(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


@pytest.fixture(scope="module")
def earlier(method: dict[str, Any], base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return in_process.train(base, tmp_path_factory.mktemp("earlier"), ROWS, HELD_OUT, **FIRST, **method)


@pytest.mark.parametrize("with_optimizer", [True, False])
def test_a_warm_start_starts_from_the_weights_of_the_earlier_job(
    method: dict[str, Any], base: Path, earlier: Trained, with_optimizer: bool, tmp_path: Path
) -> None:
    asked = {**FIRST, "n_epochs": 1, "learning_rate": 0.001, **method}
    state = earlier.folder(earlier.checkpoints[-1].state)
    found = in_process.train(base, tmp_path, ROWS, HELD_OUT, start=state, with_optimizer=with_optimizer, **asked)
    # It has its own steps and learning rate, but trained weights.
    assert list(found.losses) == [1, 2, 3, 4]
    assert max(found.losses.values()) < (earlier.losses[1] + earlier.losses[24]) / 2
    rates = [m.metrics.learning_rate for m in found.messages if hasattr(m, "total_steps")]
    assert max(rate or 0.0 for rate in rates) == pytest.approx(0.001)
    [first, *_] = found.trainer.optimizer.state.values()
    assert float(first["step"]) == (24 + 4 if with_optimizer else 4)


ON_TOP = [
    ({"tuning": "full"}, {"tuning": "lora", "lora_rank": 4}),
    ({"lora_rank": 4}, {"tuning": "freeze", "freeze_blocks": 1}),
    ({"lora_rank": 4, "use_dora": True}, {"tuning": "full"}),
]


@pytest.mark.parametrize(("first", "then"), ON_TOP, ids=["lora-on-full", "freeze-on-lora", "full-on-dora"])
def test_a_warm_start_can_add_another_method(
    first: dict[str, Any], then: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    earlier = in_process.train(base, tmp_path / "earlier", ROWS, HELD_OUT, **FIRST, **first)
    state = earlier.folder(earlier.checkpoints[-1].state)
    asked = {**FIRST, "n_epochs": 1, "learning_rate": 0.001, **then}
    tuning = Tuning(kind=first.get("tuning", "lora"))
    found = in_process.train(base, tmp_path, ROWS, HELD_OUT, start=state, earlier=tuning, **asked)
    assert max(found.losses.values()) < (earlier.losses[1] + earlier.losses[24]) / 2
    # The published model is whole: it needs no adapter.
    published = found.folder(found.checkpoints[-1].adapter)
    outside = AutoModelForCausalLM.from_pretrained(published)
    ids = torch.tensor([tiny_model.tokenizer()("<|im_start|>user\nsay 5<|im_end|>\n")["input_ids"]])
    places = {"position_ids": torch.arange(ids.shape[1])[None], "row_lengths": (ids.shape[1],)}
    with torch.no_grad():
        inside = found.trainer.model.eval()(input_ids=ids, **places).logits
        torch.testing.assert_close(outside(ids).logits, inside, atol=1e-3, rtol=0.01)
        assert (StartCheckpoint(str(base)).model(tuning, False)(ids).logits - inside).abs().max() > 0.1

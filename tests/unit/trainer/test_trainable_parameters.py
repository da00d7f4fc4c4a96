"""Each method trains, resumes, and saves checkpoints that transformers and PEFT can load."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.trainer.adapters.pretrained import load_model
from services.trainer.adapters.trainable_parameters import (
    LayersUnknown,
    freeze_all_but_last,
    lora_config,
    trainable_share,
)
from services.trainer.domain.tuning import Tuning
from tests.unit.trainer import in_process, tiny_model
from tests.unit.trainer.in_process import Trained

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

ROWS, HELD_OUT = tiny_model.rows(16), tiny_model.rows(5)
ASKED = {"n_epochs": 3, "batch_size": 4, "learning_rate": 0.01, "n_checkpoints": 2}
Asked = dict[str, Any]
# Hyperparameters, the expected trainable share, and whether a whole model is published.
METHODS: dict[str, tuple[Asked, tuple[float, float], bool]] = {
    "lora": ({"lora_rank": 4}, (0.03, 0.15), False),
    "rslora": ({"lora_rank": 4, "use_rslora": True, "lora_targets": "attention"}, (0.01, 0.05), False),
    "dora": ({"lora_rank": 4, "use_dora": True}, (0.03, 0.2), True),
    "freeze": ({"tuning": "freeze", "freeze_blocks": 1}, (0.35, 0.45), True),
    "full": ({"tuning": "full"}, (1.0, 1.0), True),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in 16 bits, as most base models are."""
    folder = tiny_model.save(tmp_path_factory.mktemp("base"))
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def trained(method: str, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(method, base, tmp_path_factory.mktemp(method))


def train(method: str, base: Path, folder: Path, **more: Any) -> Trained:
    return in_process.train(base, folder, ROWS, HELD_OUT, **ASKED, **METHODS[method][0], **more)


def test_each_method_learns_with_its_share_of_parameters(method: str, trained: Trained) -> None:
    losses = trained.losses
    assert losses[12] < losses[1] - 0.2
    low, high = METHODS[method][1]
    assert low <= trainable_share(trained.trainer.model) <= high


def test_a_checkpoint_loaded_by_transformers_and_peft_gives_the_same_loss(
    method: str, trained: Trained, base: Path
) -> None:
    published = trained.folder(trained.checkpoints[-1].adapter)
    inside = trained.trainer.model.eval()
    # Loaded by transformers and PEFT alone.
    if METHODS[method][2]:
        outside, tokenizer = AutoModelForCausalLM.from_pretrained(published), AutoTokenizer.from_pretrained(published)
        assert {parameter.dtype for parameter in outside.parameters()} == {torch.bfloat16}
        assert tokenizer.chat_template == tiny_model.TEMPLATE
    else:
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        outside, tokenizer = PeftModel.from_pretrained(plain, published), tiny_model.tokenizer()
    ids = torch.tensor([tokenizer("<|im_start|>user\nsay 5<|im_end|>\n")["input_ids"]])
    with torch.no_grad():
        found = outside.float()(ids).logits
        wanted = inside(
            input_ids=ids, position_ids=torch.arange(ids.shape[1])[None], row_lengths=(ids.shape[1],)
        ).logits
    torch.testing.assert_close(found, wanted, atol=0.15 if METHODS[method][2] else 1e-3, rtol=0.05)


def test_a_published_checkpoint_has_only_safetensors_and_json_and_no_local_path(
    method: str, trained: Trained, base: Path
) -> None:
    checkpoint = trained.checkpoints[-1]
    for artifact in (checkpoint.adapter, checkpoint.state):
        files = list(trained.folder(artifact).iterdir())
        assert {file.suffix for file in files} <= {".json", ".safetensors", ".jinja"}
        for file in files:
            if file.suffix == ".json":
                assert str(base) not in file.read_text()
            if file.suffix == ".safetensors":
                with safe_open(file, "pt") as tensors:
                    assert list(tensors.keys())
    assert (trained.folder(checkpoint.adapter) / "config.json").exists() is METHODS[method][2]


def test_a_resumed_job_has_the_losses_of_an_uninterrupted_one(
    method: str, trained: Trained, base: Path, tmp_path: Path
) -> None:
    rest = train(method, base, tmp_path, resume=trained.folder(trained.checkpoints[0].state))
    assert list(rest.losses) == list(range(7, 13))
    for step, loss in rest.losses.items():
        assert loss == pytest.approx(trained.losses[step], abs=1e-4)


def test_freezing_leaves_only_the_last_blocks_trainable(base: Path) -> None:
    model = load_model(str(base), False)
    freeze_all_but_last(model, 1)
    trained = {name.split(".")[2] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {"1"}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("attention", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("mlp", {"gate_proj", "up_proj", "down_proj"}),
        ("q_proj,down_proj", {"q_proj", "down_proj"}),
    ],
)
def test_lora_is_applied_to_the_requested_layers(base: Path, wanted: str, chosen: set[str]) -> None:
    config = lora_config(Tuning(rank=4, alpha=8, targets=wanted), load_model(str(base), False))
    assert set(config.target_modules or ()) == chosen


@pytest.mark.parametrize("wanted", ["lm_head", "query", "q_proj,nothing"])
def test_unknown_layers_are_refused_and_the_known_layers_are_listed(base: Path, wanted: str) -> None:
    with pytest.raises(LayersUnknown, match="linear layers are down_proj, gate_proj, k_proj"):
        lora_config(Tuning(rank=4, targets=wanted), load_model(str(base), False))


def test_the_config_states_the_number_format_of_the_saved_weights(trained: Trained, method: str) -> None:
    if METHODS[method][2]:
        config = json.loads((trained.folder(trained.checkpoints[-1].adapter) / "config.json").read_text())
        assert config["dtype"] == "bfloat16"

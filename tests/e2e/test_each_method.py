"""Each training method learns the example in a few steps, and plain transformers and PEFT load the result."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from deploy.local.settings import LocalSettings
from services.trainer.domain.worker_messages import CheckpointWritten, Prepared
from shared.artifacts import Artifacts
from tests.e2e.waiting import EXAMPLES
from tests.prepared import split_lines
from tests.trained import train

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(400),
    pytest.mark.long,
]

STEPS, ASKED_ROWS, IN_FORM = 48, 5, 4
KEYS = {"street", "city", "postcode", "name"}
# The requested method, and the share of parameters that it should train. The whole line tests plain LoRA.
METHODS: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    "rslora": ({"use_rslora": True}, (0.01, 0.03)),
    "dora": ({"use_dora": True}, (0.01, 0.03)),
    "freeze": ({"tuning": "freeze"}, (0.1, 0.2)),
    "full": ({"tuning": "full"}, (1.0, 1.0)),
}


@pytest.fixture(scope="module")
def parts() -> dict[str, list[bytes]]:
    return split_lines(EXAMPLES / "train.jsonl", 7)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is deleted after its test: whole models are large."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.mark.parametrize("method", METHODS)
async def test_the_trained_model_answers_with_the_keys_of_the_example(
    method: str, parts: dict[str, list[bytes]], base_model: LocalSettings, folder: Path
) -> None:
    asked, (low, high) = METHODS[method]
    base = base_model.base_model_dir
    said = await train(asked, parts["train"], STEPS, base, folder)
    [prepared] = [message for message in said if isinstance(message, Prepared)]
    assert low <= prepared.trainable_share <= high
    *_, last = [message for message in said if isinstance(message, CheckpointWritten)]
    made = Artifacts(str(folder / "artifacts")).fetch_folder(last.adapter, folder / "cache")
    assert {file.suffix for file in made.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}
    tokenizer = AutoTokenizer.from_pretrained(base)
    if (made / "adapter_config.json").exists():
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), made)
    else:
        model = AutoModelForCausalLM.from_pretrained(made)
    assert await asyncio.to_thread(in_form, model, tokenizer, parts) >= IN_FORM


def in_form(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, parts: dict[str, list[bytes]]
) -> int:
    """The number of answers to the test split that are JSON objects with the example's keys."""
    count = 0
    for row in parts["test"][:ASKED_ROWS]:
        prompt = json.loads(row)["messages"][:-1]
        asked = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            made = model.float().generate(**asked, max_new_tokens=80, do_sample=False)
        answer = tokenizer.decode(made[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
        try:
            count += json.loads(answer).keys() == KEYS
        except (ValueError, AttributeError):
            print(answer)
    return count

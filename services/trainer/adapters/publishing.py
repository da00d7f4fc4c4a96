"""A checkpoint as others score and serve it: an adapter, or a whole model; safetensors and JSON alone."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedTokenizerBase

from services.trainer.adapters.tuned_model import whole_weights
from services.trainer.domain.tuning import Tuning

_ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")


def base_dtype(path: str) -> torch.dtype | None:
    """The number format of a base model's weights, where its config names one."""
    return AutoConfig.from_pretrained(path, trust_remote_code=False).dtype


def publish(
    tuning: Tuning, model: Any, tokenizer: PreTrainedTokenizerBase, dtype: torch.dtype | None, saved: Path, into: Path
) -> None:
    """Fill the folder `into` with what a model is served from; `saved` is the trainer's own checkpoint of it."""
    into.mkdir()
    if tuning.makes_an_adapter:
        for name in _ADAPTER_FILES:
            shutil.copyfile(saved / name, into / name)
        return
    whole = copy.deepcopy(model).merge_and_unload() if tuning.kind == "lora" else model
    whole.save_pretrained(into, state_dict=whole_weights(whole, dtype))
    tokenizer.save_pretrained(into)
    _tell_the_format(into / "config.json", dtype)


def _tell_the_format(config: Path, dtype: torch.dtype | None) -> None:
    """transformers writes the format in which the model was trained, not that of the weights beside it."""
    content = json.loads(config.read_text())
    # A path of this machine, from which the base model came.
    content.pop("_name_or_path", None)
    if dtype is not None:
        content["dtype"] = str(dtype).removeprefix("torch.")
    config.write_text(json.dumps(content, indent=2) + "\n")

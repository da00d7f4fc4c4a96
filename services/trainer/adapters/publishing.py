"""A checkpoint as others score and serve it: an adapter, or a whole model; safetensors and JSON alone."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, PreTrainedTokenizerBase

from services.trainer.adapters.beginning import whole_model
from services.trainer.adapters.tuned_model import whole_weights
from services.trainer.domain.tuning import Tuning
from shared.weights.lora import CONFIG, WEIGHTS


@dataclass(frozen=True)
class Publisher:
    """Makes it from a trainer's own checkpoint on disk, and from the model in `below`, which lies under an adapter.

    Whole models are published in `dtype`; None leaves them as they were trained.
    """

    tuning: Tuning
    below: str
    tokenizer: PreTrainedTokenizerBase
    dtype: torch.dtype | None

    def publish(self, saved: Path, into: Path) -> None:
        """Fill the new folder `into` with what the checkpoint in `saved` is served from."""
        into.mkdir()
        if self.tuning.makes_an_adapter:
            for name in (WEIGHTS, CONFIG):
                shutil.copyfile(saved / name, into / name)
            return
        whole = whole_model(self.below, saved)
        whole.save_pretrained(into, state_dict=whole_weights(whole, self.dtype))
        self.tokenizer.save_pretrained(into)
        _tell_the_format(into / "config.json", self.dtype)


def base_dtype(path: str) -> torch.dtype | None:
    """The number format of a base model's weights, where its config names one."""
    return AutoConfig.from_pretrained(path, trust_remote_code=False).dtype


def _tell_the_format(config: Path, dtype: torch.dtype | None) -> None:
    """transformers writes the format in which the model was trained, not that of the weights beside it."""
    content = json.loads(config.read_text())
    # A path of this machine, from which the base model came.
    content.pop("_name_or_path", None)
    if dtype is not None:
        content["dtype"] = str(dtype).removeprefix("torch.")
    config.write_text(json.dumps(content, indent=2) + "\n")

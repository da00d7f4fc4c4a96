"""Publishes checkpoints in the form in which they are evaluated and served, as safetensors and JSON."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, PreTrainedTokenizerBase

from services.trainer.adapters.start_checkpoint import whole_model
from services.trainer.adapters.trainable_parameters import cast_weights
from services.trainer.domain.tuning import Tuning
from shared.weights.lora import CONFIG, WEIGHTS


@dataclass(frozen=True)
class Publisher:
    """Publishes an adapter, or the whole model, merged with the adapter if there is one.

    `base_path` is the model below the adapter. Whole models are saved in `dtype` (None: as they were trained).
    """

    tuning: Tuning
    base_path: str
    tokenizer: PreTrainedTokenizerBase
    dtype: torch.dtype | None

    def publish(self, saved: Path, into: Path) -> None:
        """Write the published form of the checkpoint in `saved` into the new folder `into`."""
        into.mkdir()
        if self.tuning.makes_an_adapter:
            for name in (WEIGHTS, CONFIG):
                shutil.copyfile(saved / name, into / name)
            return
        whole = whole_model(self.base_path, saved)
        whole.save_pretrained(into, state_dict=cast_weights(whole, self.dtype))
        self.tokenizer.save_pretrained(into)
        _fix_config(into / "config.json", self.dtype)


def base_dtype(path: str) -> torch.dtype | None:
    """The number format of a base model's weights, if its config states it."""
    return AutoConfig.from_pretrained(path, trust_remote_code=False).dtype


def _fix_config(config: Path, dtype: torch.dtype | None) -> None:
    """transformers writes the format of the training into the config; state that of the saved weights instead."""
    content = json.loads(config.read_text())
    # A local path of the base model.
    content.pop("_name_or_path", None)
    if dtype is not None:
        content["dtype"] = str(dtype).removeprefix("torch.")
    config.write_text(json.dumps(content, indent=2) + "\n")

"""The checkpoint from which a worker starts: its own last one, that of an earlier job (warm start), or none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from services.trainer.adapters import checkpoint_files
from services.trainer.adapters.pretrained import load_model
from services.trainer.domain.tuning import Tuning
from shared.weights.lora import WEIGHTS


@dataclass(frozen=True)
class StartCheckpoint:
    """`base_path` is the model that is trained, or the one below the trained adapter.

    `weights` is the checkpoint with the first weights (None: those of the base model), `optimizer` the checkpoint of
    an earlier job whose optimizer state is reused.
    """

    base_path: str
    weights: Path | None = None
    optimizer: Path | None = None

    @classmethod
    def of(cls, tuning: Tuning, base: str, earlier: Path | None, own: Path | None, with_optimizer: bool) -> Self:
        """For a job over the model in `base`; `earlier` is a checkpoint of another job, `own` the job's last one."""
        return cls(
            base_path=str(earlier) if tuning.over_whole else base,
            weights=own or (None if tuning.over_whole else earlier),
            optimizer=earlier if with_optimizer else None,
        )

    def model(self, tuning: Tuning, bf16: bool) -> PreTrainedModel:
        """The model to train, or to add an adapter to."""
        if tuning.kind == "lora":
            return load_model(self.base_path, bf16)
        # A model's own weights are trained in 32 bits: in 16 bits small updates would be rounded away.
        return load_model(self.base_path, False) if self.weights is None else whole_model(self.base_path, self.weights)

    def load_adapter(self, model: Any) -> None:
        """Load the checkpoint's weights into an adapter; a whole model already has them."""
        if self.weights is not None and isinstance(model, PeftModel):
            set_peft_model_state_dict(model, load_file(self.weights / WEIGHTS))


def whole_model(base_path: str, checkpoint: Path) -> PreTrainedModel:
    """A checkpoint as a whole model in 32 bits; an adapter is merged into the model in `base_path`."""
    if not (checkpoint / WEIGHTS).exists():
        return load_model(str(checkpoint), False)
    # PEFT freezes the model below an adapter.
    merged = PeftModel.from_pretrained(load_model(base_path, False), str(checkpoint)).merge_and_unload()
    return merged.requires_grad_(True)


def load_moments(optimizer: torch.optim.Optimizer, checkpoint: Path) -> None:
    """Load Adam's moments but keep the learning rate; call this before the scheduler is created."""
    rates = [group["lr"] for group in optimizer.param_groups]
    checkpoint_files.load_optimizer(optimizer, checkpoint)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        # The new scheduler would start from this rate.
        group.pop("initial_lr", None)

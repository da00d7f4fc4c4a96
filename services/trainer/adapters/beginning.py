"""A job that begins with the weights of an earlier one's checkpoint, with its optimizer's state or without."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file

from services.trainer.adapters import training_state

_ADAPTER = "adapter_model.safetensors"


def begin_from(model: Any, state: Path) -> None:
    """Give an adapter the weights that it had there; a whole model was loaded from there already."""
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(state / _ADAPTER))


def with_moments(optimizer: torch.optim.Optimizer, state: Path) -> None:
    """Give an optimizer that has no scheduler yet its running means of gradients; its rate stays the new plan's."""
    rates = [group["lr"] for group in optimizer.param_groups]
    training_state.load_optimizer(optimizer, state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        # From this the new scheduler would go on.
        group.pop("initial_lr", None)

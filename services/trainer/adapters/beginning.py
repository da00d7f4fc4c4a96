"""What a job begins with: the base model, or the weights of an earlier job's checkpoint, and its optimizer's state."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from services.trainer.adapters import training_state
from services.trainer.adapters.loading import load_model
from services.trainer.domain.tuning import Tuning

_ADAPTER = "adapter_model.safetensors"


def first_model(tuning: Tuning, base: str, state: Path | None, bf16: bool) -> PreTrainedModel:
    """The base model, or what the checkpoint in `state` made of it: a whole model, or one that an adapter is merged in.

    An adapter that is trained on as one comes over its base model later: `begin_from`.
    """
    own_weights = tuning.kind != "lora"
    # Small steps of weights in 16 bits would be rounded away; those of adapters are kept in 32.
    bf16 = bf16 and not own_weights
    if state is None:
        return load_model(base, bf16)
    if not (state / _ADAPTER).exists():
        return load_model(str(state), bf16)
    model = load_model(base, bf16)
    if not own_weights:
        return model
    # PEFT froze what it put the adapter over.
    return PeftModel.from_pretrained(model, str(state)).merge_and_unload().requires_grad_(True)


def begin_from(model: Any, state: Path) -> None:
    """Give an adapter the weights that it had in the checkpoint, where that is one of an adapter."""
    if isinstance(model, PeftModel) and (state / _ADAPTER).exists():
        set_peft_model_state_dict(model, load_file(state / _ADAPTER))


def with_moments(optimizer: torch.optim.Optimizer, state: Path) -> None:
    """Give an optimizer that has no scheduler yet its running means of gradients; its rate stays the new plan's."""
    rates = [group["lr"] for group in optimizer.param_groups]
    training_state.load_optimizer(optimizer, state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        # From this the new scheduler would go on.
        group.pop("initial_lr", None)

"""What a job begins with: the base model, or the weights of an earlier job's checkpoint, and its optimizer's state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from services.trainer.adapters import training_state
from services.trainer.adapters.loading import load_model
from services.trainer.domain.tuning import Tuning
from shared.weights.lora import WEIGHTS


@dataclass(frozen=True)
class Beginning:
    """`below` is the folder of the model that is trained, or that lies under the adapter that is.

    `state` is a checkpoint, of the job itself or of an earlier one, whose weights it begins with, and `moments` one
    whose optimizer's state it does.
    """

    below: str
    state: Path | None = None
    moments: Path | None = None

    @classmethod
    def of(cls, tuning: Tuning, base: str, earlier: Path | None, own: Path | None, with_moments: bool) -> Self:
        """Of a job over the base model in `base`, from an earlier job's checkpoint or its own last one, if there are.

        `with_moments`: the earlier one's optimizer comes along.
        """
        return cls(
            below=str(earlier) if tuning.over_whole else base,
            state=own or (None if tuning.over_whole else earlier),
            moments=earlier if with_moments else None,
        )

    def model(self, tuning: Tuning, bf16: bool) -> PreTrainedModel:
        """The model to train, or to put an adapter over."""
        if tuning.kind == "lora":
            return load_model(self.below, bf16)
        # Small steps of weights in 16 bits would be rounded away; those of adapters are kept in 32.
        return load_model(self.below, False) if self.state is None else whole_model(self.below, self.state)

    def give(self, model: Any) -> None:
        """Give an adapter the weights that it had in the checkpoint; a whole model has them already."""
        if self.state is not None and isinstance(model, PeftModel):
            set_peft_model_state_dict(model, load_file(self.state / WEIGHTS))


def whole_model(below: str, state: Path) -> PreTrainedModel:
    """What a checkpoint is as a whole, in 32 bits: itself, or what its adapter makes of the model below it."""
    if not (state / WEIGHTS).exists():
        return load_model(str(state), False)
    # PEFT freezes what it puts an adapter over.
    return PeftModel.from_pretrained(load_model(below, False), str(state)).merge_and_unload().requires_grad_(True)


def with_moments(optimizer: torch.optim.Optimizer, state: Path) -> None:
    """Give an optimizer that has no scheduler yet its running means of gradients; its rate stays the new plan's."""
    rates = [group["lr"] for group in optimizer.param_groups]
    training_state.load_optimizer(optimizer, state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        # From this the new scheduler would go on.
        group.pop("initial_lr", None)

"""Which parameters of a model are trained: LoRA adapters, its last blocks, or all."""

import torch
from peft import LoraConfig
from torch import nn
from transformers import PreTrainedModel

from services.trainer.domain.tuning import Tuning

_GROUPS = {"attention": ("attn", "attention"), "mlp": ("mlp", "feed_forward")}


class LayersUnknown(Exception):
    """`lora_targets` names layers that the base model does not have; the message lists those it has."""


def lora_config(tuning: Tuning, model: PreTrainedModel) -> LoraConfig:
    """PEFT's configuration for a tuning; raises `LayersUnknown`."""
    return LoraConfig(
        r=tuning.rank,
        lora_alpha=tuning.alpha,
        lora_dropout=0.0,
        target_modules=_targets(model, tuning.targets),
        use_dora=tuning.dora,
        use_rslora=tuning.rslora,
        task_type="CAUSAL_LM",
    )


def freeze_all_but_last(model: PreTrainedModel, blocks: int) -> None:
    """Freeze a model except its last blocks."""
    model.requires_grad_(False)
    stacks = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    for block in max(stacks, key=len)[-blocks:]:
        block.requires_grad_(True)


def trainable_share(model: nn.Module) -> float:
    """The trained share of a model's parameters, adapters included."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return trained / sum(parameter.numel() for parameter in model.parameters())


def cast_weights(model: nn.Module, dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    """A model's state in another number format (None: unchanged). Tensors that share memory still do."""
    cast: dict[int, torch.Tensor] = {}
    state = model.state_dict()
    return {
        name: cast.setdefault(tensor.data_ptr(), tensor.to(dtype or tensor.dtype)) for name, tensor in state.items()
    }


def _targets(model: PreTrainedModel, wanted: str) -> str | list[str]:
    if wanted == "all-linear":
        return wanted
    head = model.get_output_embeddings()
    paths = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head]
    known = sorted({path.rpartition(".")[2] for path in paths})
    if marks := _GROUPS.get(wanted):
        chosen = {path.rpartition(".")[2] for path in paths if any(mark in path for mark in marks)}
    else:
        chosen = set(wanted.split(","))
    if not chosen or not chosen <= set(known):
        raise LayersUnknown(f"lora_targets is {wanted!r}; the base model's linear layers are {', '.join(known)}")
    return sorted(chosen)

"""Checks from its files whether a LoRA adapter fits a pool, before an engine sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from shared.weights.header import Tensor, UnfitWeights
from shared.weights.lora import check_config, modules, rank_of

_PLAIN = {"F16", "BF16", "F32"}


@dataclass(frozen=True)
class AdapterFiles:
    """The files of an adapter: its configuration and the tensors that its weights declare."""

    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Base:
    """What is known of a pool's base model.

    `names` are those it goes by; `tensors` are its own, empty where its files cannot be read from here.
    """

    names: frozenset[str]
    tensors: Mapping[str, Tensor]


def check(adapter: AdapterFiles, base: Base, max_rank: int) -> None:
    """Raises `UnfitWeights` for an adapter that engines would refuse, or that would crash them or give nonsense."""
    check_config(adapter.config)
    pairs = modules(adapter.tensors)
    if (rank := rank_of(adapter.tensors)) > max_rank:
        raise UnfitWeights(f"the adapter has rank {rank}, but the engines serve at most {max_rank}")
    if base.tensors:
        for module, (a, b) in pairs.items():
            _check_shape(module, a, b, base)
    elif _last(made_for := str(adapter.config.get("base_model_name_or_path"))) not in {_last(n) for n in base.names}:
        raise UnfitWeights(f"the adapter was made for another base model: {made_for[:200]!r}")


def _check_shape(module: str, a: Tensor, b: Tensor, base: Base) -> None:
    weight = base.tensors.get(f"{module}.weight")
    if weight is None and not any(name.startswith(f"{module}.") for name in base.tensors):
        raise UnfitWeights(f"the adapter was made for another base model: this one has no {module!r:.200}")
    changed = (b.shape[0], a.shape[1])
    # A quantized base model stores its weights in other shapes.
    if weight is not None and weight.dtype in _PLAIN and weight.shape != changed:
        message = (
            f"the adapter was made for another base model: {module!r:.200} is {weight.shape} here, {changed} there"
        )
        raise UnfitWeights(message)


def _last(name: str) -> str:
    return PurePath(name).name

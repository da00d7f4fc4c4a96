"""Whether a LoRA adapter fits a pool, decided from its files before any engine sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from services.gateway.domain.weights import Tensor, UnfitWeights, rank_of

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
_PLAIN = {"F16", "BF16", "F32"}


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter's folder as it was read: its configuration and the tensors that its weights declare."""

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
    """Raises `UnfitWeights` for what engines would refuse, fail on, or answer nonsense with."""
    _check_config(adapter.config)
    pairs = modules(adapter.tensors)
    if (rank := rank_of(adapter.tensors)) > max_rank:
        raise UnfitWeights(f"the adapter's rank {rank} is above the engines' {max_rank}")
    if base.tensors:
        for module, (a, b) in pairs.items():
            _check_shape(module, a, b, base)
    elif _last(made_for := str(adapter.config.get("base_model_name_or_path"))) not in {_last(n) for n in base.names}:
        raise UnfitWeights(f"the adapter was made for another base model: {made_for[:200]!r}")


def modules(found: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The pairs A (rank, inputs) and B (outputs, rank), by the base model's module; raises `UnfitWeights`."""
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for name in found:
        if not name.startswith(_PREFIX) or not name.endswith((_A, _B)):
            raise UnfitWeights(f"the adapter holds what is no LoRA matrix: {name!r:.200}")
        stem = name.removesuffix(_A).removesuffix(_B)
        a, b = found.get(stem + _A), found.get(stem + _B)
        if a is None or b is None or len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
            raise UnfitWeights(f"the adapter's matrices for {stem!r:.200} do not belong together")
        pairs[stem.removeprefix(_PREFIX)] = (a, b)
    return pairs


def _check_config(config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise UnfitWeights(f"only LoRA adapters are served, not {str(config.get('peft_type'))[:64]!r}")
    if config.get("use_dora"):
        raise UnfitWeights("DoRA adapters are not served: engines cannot compute them, and merging would change them")
    if config.get("modules_to_save") or config.get("bias", "none") != "none":
        raise UnfitWeights("the adapter changes more than LoRA matrices (modules_to_save or bias)")
    alpha: Any = config.get("lora_alpha")
    if type(alpha) not in (int, float) or not 0 < alpha < 1e6:
        raise UnfitWeights("the adapter's lora_alpha is no positive number")


def _check_shape(module: str, a: Tensor, b: Tensor, base: Base) -> None:
    weight = base.tensors.get(f"{module}.weight")
    if weight is None and not any(name.startswith(f"{module}.") for name in base.tensors):
        raise UnfitWeights(f"the adapter was made for another base model: this one has no {module!r:.200}")
    changed = (b.shape[0], a.shape[1])
    # A quantized base keeps its weights in shapes of its own.
    if weight is not None and weight.dtype in _PLAIN and weight.shape != changed:
        message = (
            f"the adapter was made for another base model: {module!r:.200} is {weight.shape} here, {changed} there"
        )
        raise UnfitWeights(message)


def _last(name: str) -> str:
    return PurePath(name).name

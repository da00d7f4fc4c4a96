"""The two files of a LoRA adapter: the matrices by module, and whether engines support the adapter."""

from collections.abc import Mapping
from typing import Any

from shared.weights.header import Tensor, UnfitWeights

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def check_config(config: Mapping[str, Any]) -> None:
    """Raises `UnfitWeights` for an unsupported adapter type."""
    if config.get("peft_type") != "LORA":
        raise UnfitWeights(f"only LoRA adapters are served, not {str(config.get('peft_type'))[:64]!r}")
    if config.get("use_dora"):
        raise UnfitWeights("DoRA adapters are not served: engines cannot compute them, and merging would change them")
    if config.get("modules_to_save") or config.get("bias", "none") != "none":
        raise UnfitWeights("the adapter has more than LoRA matrices (modules_to_save or bias); train it without them")
    alpha: Any = config.get("lora_alpha")
    if type(alpha) not in (int, float) or not 0 < alpha < 1e6:
        raise UnfitWeights("the adapter's lora_alpha is not a positive number")


def modules(found: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The pairs A (rank, inputs) and B (outputs, rank), by the base model's module; raises `UnfitWeights`."""
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for name in found:
        if not name.startswith(_PREFIX) or not name.endswith((_A, _B)):
            raise UnfitWeights(f"the adapter holds a tensor that is not a LoRA matrix: {name!r:.200}")
        stem = name.removesuffix(_A).removesuffix(_B)
        a, b = found.get(stem + _A), found.get(stem + _B)
        if a is None or b is None or len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
            raise UnfitWeights(f"the adapter's matrices for {stem!r:.200} do not fit together")
        pairs[stem.removeprefix(_PREFIX)] = (a, b)
    return pairs


def rank_of(found: Mapping[str, Tensor]) -> int:
    """The largest rank of the LoRA pairs."""
    return max((t.shape[0] for name, t in found.items() if name.endswith(_A)), default=0)

"""The header of a safetensors file: names, types and shapes of tensors, and whether the file is complete."""

import json
import math
from dataclasses import dataclass
from typing import Any

# https://github.com/huggingface/safetensors#format: 8 bytes of length, the JSON header, then the tensors without gaps.
PREFIX_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
_ITEM_BYTES = {
    **{"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2},
    **{"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8},
}


class UnfitWeights(Exception):
    """These weights cannot be served; the message says why."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's type (safetensors' name), its shape, and the position of its bytes behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def tensors(header: bytes, data_bytes: int) -> dict[str, Tensor]:
    """The tensors that a header declares; raises `UnfitWeights` unless they fill the file's data exactly."""
    try:
        declared: Any = json.loads(header)
        found = {name: _tensor(entry) for name, entry in declared.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnfitWeights(f"the header of the safetensors file cannot be read: {error!r:.200}") from None
    if not found:
        raise UnfitWeights("the safetensors file holds no tensors")
    end = 0
    for name, tensor in sorted(found.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start != end or tensor.end - tensor.start != _bytes(tensor):
            raise UnfitWeights(f"the safetensors file is damaged: {name!r:.100} is not at its declared position")
        end = tensor.end
    if end != data_bytes:
        raise UnfitWeights(f"the safetensors file is incomplete: {data_bytes} bytes of data, expected {end}")
    return found


def _tensor(entry: Any) -> Tensor:
    start, end = entry["data_offsets"]
    tensor = Tensor(entry["dtype"], tuple(entry["shape"]), start, end)
    numbers = (*tensor.shape, start, end)
    if tensor.dtype not in _ITEM_BYTES or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"not a tensor: {entry!r:.100}")
    return tensor


def _bytes(tensor: Tensor) -> int:
    return math.prod(tensor.shape) * _ITEM_BYTES[tensor.dtype]

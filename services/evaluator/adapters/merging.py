"""A LoRA adapter added to its base model's weights, file by file in place, with no more than numpy.

W + scale · B · A with scale = alpha / r, or alpha / √r for rank-stabilized adapters (Hu 2021; Kalajdzievski 2023).
"""

import json
import math
import mmap
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.evaluator.domain.suite import CannotBeScored

Floats = NDArray[np.float32]
_PLAIN = {
    "use_dora": False,
    "modules_to_save": None,
    "alpha_pattern": {},
    "rank_pattern": {},
    "fan_in_fan_out": False,
    "bias": "none",
    "lora_bias": False,
}
_STEM, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def merge(base: Path, adapter: Path, target: Path) -> None:
    """Write into `target` the base model's safetensors with the adapter added; raises `CannotBeScored`."""
    scale = _scale(json.loads((adapter / "adapter_config.json").read_text()))
    pairs = _Tensors(adapter / "adapter_model.safetensors")
    modules = {name.removeprefix(_STEM).removesuffix(_A) for name in pairs.names if name.endswith(_A)}
    left = set(modules)
    target.mkdir(parents=True)
    for source in sorted(base.glob("*.safetensors*")):
        copy = Path(shutil.copyfile(source, target / source.name))
        if copy.suffix == ".safetensors":
            left -= _add(_Tensors(copy, write=True), pairs, modules, scale)
    if left:
        raise CannotBeScored("adapter_refused", f"the base model has no module {min(left)} that the adapter changes")


class _Tensors:
    """The tensors of one safetensors file, read and written where they lie."""

    def __init__(self, path: Path, write: bool = False) -> None:
        with path.open("r+b" if write else "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)
        size = int.from_bytes(self._data[:8], "little")
        if size > len(self._data) - 8:
            raise CannotBeScored("adapter_refused", f"{path.name} is no safetensors file")
        self._start = 8 + size
        self._header: Mapping[str, Any] = json.loads(self._data[8 : self._start])

    @property
    def names(self) -> set[str]:
        return set(self._header) - {"__metadata__"}

    def read(self, name: str) -> Floats:
        entry = self._header[name]
        return _floats(self._data[slice(*self._place(name))], entry["dtype"]).reshape(entry["shape"])

    def write(self, name: str, values: Floats) -> None:
        self._data[slice(*self._place(name))] = _bytes(values, self._header[name]["dtype"])

    def _place(self, name: str) -> tuple[int, int]:
        low, high = self._header[name]["data_offsets"]
        return self._start + low, self._start + high


def _add(weights: _Tensors, pairs: _Tensors, modules: set[str], scale: float) -> set[str]:
    here = {module for module in modules if f"{module}.weight" in weights.names}
    for module in here:
        low, high = pairs.read(f"{_STEM}{module}{_A}"), pairs.read(f"{_STEM}{module}{_B}")
        weight = weights.read(f"{module}.weight")
        if (high.shape[0], low.shape[1]) != weight.shape:
            raise CannotBeScored("adapter_refused", f"the adapter's {module} has another shape than the base model's")
        weights.write(f"{module}.weight", weight + np.float32(scale) * (high @ low))
    return here


def _scale(config: Mapping[str, Any]) -> float:
    if special := [name for name, plain in _PLAIN.items() if config.get(name, plain) not in (plain, None)]:
        raise CannotBeScored("adapter_refused", f"an adapter with {', '.join(special)} cannot be merged here")
    rank = config["r"]
    return config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _floats(raw: bytes, dtype: str) -> Floats:
    match dtype:
        case "BF16":
            # The upper half of a float32.
            return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        case "F16":
            return np.frombuffer(raw, "<f2").astype("<f4")
        case "F32":
            return np.frombuffer(raw, "<f4")
        case _:
            raise CannotBeScored("adapter_refused", f"weights of type {dtype} cannot be merged here")


def _bytes(values: Floats, dtype: str) -> bytes:
    if dtype == "BF16":
        bits = np.ascontiguousarray(values, "<f4").view("<u4")
        # To the nearest, and of two as near to the even one.
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return values.astype({"F16": "<f2", "F32": "<f4"}[dtype]).tobytes()

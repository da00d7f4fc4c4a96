"""Merges a LoRA adapter into its base model's weights, file by file, with only some rows in memory."""

import math
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.atomic_directory import atomic_directory
from shared.throttle import Wait, no_wait
from shared.weights.files import read_config, read_tensors
from shared.weights.header import PREFIX_BYTES, Tensor, UnfitWeights
from shared.weights.lora import CONFIG, WEIGHTS, check_config, modules

_TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_CACHED_NUMBERS, _COPIED_BYTES = 65_536, 1 << 20
_SPECIAL = ("alpha_pattern", "fan_in_fan_out")
Floats = NDArray[np.float32]


def merge(base: Path, adapter: Path, target: Path, wait: Wait = no_wait) -> None:
    """Write the merged weights into `target` atomically; raises `UnfitWeights`.

    The files are read soon and not fsynced, so name the folder by `boot_id`.
    """
    updates = _Updates(adapter)
    with atomic_directory(target) as scratch:
        missing = set(updates.names)
        for file in sorted(base.glob("*.safetensors")):
            missing -= _merge_file(file, updates, scratch / file.name, wait)
        if missing:
            raise UnfitWeights(f"the base model has no {min(missing)!r:.200}, which the adapter changes")
        for name in ("config.json", "model.safetensors.index.json"):
            if (base / name).exists():
                shutil.copyfile(base / name, scratch / name)


def to_floats(data: NDArray[Any], dtype: str) -> Floats:
    """The numbers of a tensor. bfloat16 is the upper half of a float32."""
    if dtype == "BF16":
        return (data.astype(np.uint32) << 16).view(np.float32)
    return data.astype(np.float32)


def from_floats(values: Floats, dtype: str) -> NDArray[Any]:
    """A tensor of these numbers; bfloat16 rounded to nearest, ties to even, as torch does."""
    if dtype == "BF16":
        bits = values.view(np.uint32)
        rounded = bits >> 16
        rounded &= 1
        rounded += 0x7FFF
        rounded += bits
        rounded >>= 16
        return rounded.astype(np.uint16)
    return values.astype(_TYPES[dtype])


def scale(config: Mapping[str, Any], rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) with rsLoRA (https://arxiv.org/abs/2312.03732)."""
    return config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)


class _Updates:
    """The update of each weight: scale * B A (https://arxiv.org/abs/2106.09685)."""

    def __init__(self, adapter: Path) -> None:
        self._config = read_config(adapter / CONFIG)
        check_config(self._config)
        if special := [name for name in _SPECIAL if self._config.get(name)]:
            raise UnfitWeights(f"an adapter with {' and '.join(special)} cannot be merged")
        path = adapter / WEIGHTS
        self._pairs = {f"{module}.weight": pair for module, pair in modules(read_tensors(path)).items()}
        self._data = np.memmap(path, np.uint8, "r", _data_at(path))
        self.names = self._pairs.keys()

    def of(self, name: str, tensor: Tensor) -> tuple[Floats, Floats]:
        """A and the scaled B for a tensor, whose shape must fit."""
        a, b = self._pairs[name]
        shape = (b.shape[0], a.shape[1])
        if tensor.dtype not in _TYPES or tensor.shape != shape:
            raise UnfitWeights(f"{name!r:.200} is {tensor.dtype} {tensor.shape}; a {shape} update cannot be added")
        down, up = (to_floats(_view(self._data, matrix), matrix.dtype) for matrix in (a, b))
        return down, up * np.float32(scale(self._config, a.shape[0]))


def _merge_file(source: Path, updates: _Updates, target: Path, wait: Wait) -> set[str]:
    """Copy a file with updated tensors; returns the names of those."""
    found, begin = read_tensors(source), _data_at(source)
    whole = np.memmap(source, np.uint8, "r")
    data = whole[begin:]
    with target.open("wb") as file:
        file.write(whole[:begin].data)
        # Tensors are stored without gaps.
        for name, tensor in sorted(found.items(), key=lambda item: item[1].start):
            changed = name in updates.names
            for part in _changed(data, tensor, *updates.of(name, tensor)) if changed else _parts(data, tensor):
                file.write(part.data)
                wait()
    return updates.names & found.keys()


def _parts(data: NDArray[np.uint8], tensor: Tensor) -> Generator[NDArray[Any]]:
    for begin in range(tensor.start, tensor.end, _COPIED_BYTES):
        yield data[begin : min(begin + _COPIED_BYTES, tensor.end)]


def _changed(data: NDArray[np.uint8], tensor: Tensor, down: Floats, up: Floats) -> Generator[NDArray[Any]]:
    """The rows of a tensor with B A added, in blocks that fit the processor's cache."""
    values = _view(data, tensor)
    rows = max(1, _CACHED_NUMBERS // tensor.shape[1])
    for begin in range(0, len(values), rows):
        update = up[begin : begin + rows] @ down
        update += to_floats(values[begin : begin + rows], tensor.dtype)
        yield from_floats(update, tensor.dtype)


def _view(data: NDArray[np.uint8], tensor: Tensor) -> NDArray[Any]:
    if tensor.dtype not in _TYPES:
        raise UnfitWeights(f"{tensor.dtype} weights cannot be merged")
    return data[tensor.start : tensor.end].view(_TYPES[tensor.dtype]).reshape(tensor.shape)


def _data_at(path: Path) -> int:
    with path.open("rb") as file:
        return PREFIX_BYTES + int.from_bytes(file.read(PREFIX_BYTES), "little")

"""Weight files, read up to their headers; nothing in them is executed or trusted."""

import json
from pathlib import Path
from typing import Any

from shared.weights.header import MAX_HEADER_BYTES, PREFIX_BYTES, Tensor, UnfitWeights, tensors

_MAX_CONFIG_BYTES = 1_000_000
_SUFFIXES = {".safetensors", ".json", ".jsonl", ".txt", ".model", ".jinja", ".md"}


def refuse_pickles(folder: Path) -> None:
    """Raises `UnfitWeights` for a file type that engines might unpickle."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in _SUFFIXES:
            raise UnfitWeights(f"holds {path.name!r:.100}: only safetensors are served, never pickles")


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object; raises `UnfitWeights`."""
    try:
        with path.open("rb") as file:
            content: Any = json.loads(file.read(_MAX_CONFIG_BYTES))
    except FileNotFoundError:
        raise UnfitWeights(f"{path.name} is missing") from None
    except (ValueError, RecursionError) as error:
        raise UnfitWeights(f"{path.name} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise UnfitWeights(f"{path.name} is not a JSON object")
    return content


def read_model(folder: Path) -> dict[str, Tensor]:
    """The tensors of all of a model's files."""
    files = sorted(folder.glob("*.safetensors"))
    return {name: tensor for path in files for name, tensor in read_tensors(path).items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors that a safetensors file declares; raises `UnfitWeights` if the file is incomplete."""
    if not path.is_file():
        raise UnfitWeights(f"{path.name} is missing")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(PREFIX_BYTES), "little")
        left = path.stat().st_size - PREFIX_BYTES - length
        if length > MAX_HEADER_BYTES or left < 0:
            raise UnfitWeights(f"{path.name} is incomplete: its header is longer than the file")
        return tensors(file.read(length), left)

"""Weights on disk, read as far as their headers: nothing of them is ever executed, and nothing is trusted."""

import json
from pathlib import Path
from typing import Any

from services.gateway.domain.adapter import CONFIG, WEIGHTS, AdapterFiles
from services.gateway.domain.weights import MAX_HEADER_BYTES, PREFIX_BYTES, Tensor, UnfitWeights, tensors
from shared.child import Child, ChildDied

_MERGING = "services.gateway.job"
MAX_CONFIG_BYTES = 1_000_000
_SUFFIXES = {".safetensors", ".json", ".jsonl", ".txt", ".model", ".jinja", ".md"}


class WeightFiles:
    """Reads folders that engines can read too."""

    def __init__(self) -> None:
        self._bases: dict[str, dict[str, Tensor]] = {}

    def adapter(self, folder: Path) -> AdapterFiles:
        """An adapter's folder; raises `UnfitWeights` for what is missing, damaged, or could be a pickle."""
        refuse_pickles(folder)
        return AdapterFiles(read_config(folder / CONFIG), read_tensors(folder / WEIGHTS))

    def base(self, root: str) -> dict[str, Tensor]:
        """The tensors of the base model below an engine's own path; empty where nothing of it can be read here."""
        if root not in self._bases:
            self._bases[root] = read_model(Path(root)) if Path(root).is_absolute() else {}
        return self._bases[root]

    def whole(self, folder: Path) -> dict[str, Tensor]:
        """A whole model's tensors; raises `UnfitWeights` for what is damaged, or could be a pickle."""
        refuse_pickles(folder)
        return read_model(folder)

    async def merge(self, root: str, adapter: Path, target: Path) -> None:
        """Add an adapter to the base model in a process of its own: here it would hold every answer up."""
        child = await Child.start(_MERGING, {"base": root, "adapter": str(adapter), "target": str(target)})
        try:
            async for message in child.messages():
                raise UnfitWeights(str(message["unfit"]))
        except ChildDied as error:
            raise OSError(f"merging failed: {error}") from error
        finally:
            await child.kill()


def read_model(folder: Path) -> dict[str, Tensor]:
    """The tensors of all of a model's files."""
    files = sorted(folder.glob("*.safetensors"))
    return {name: tensor for path in files for name, tensor in read_tensors(path).items()}


def refuse_pickles(folder: Path) -> None:
    """Raises `UnfitWeights` for a file of a kind that engines might unpickle."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in _SUFFIXES:
            raise UnfitWeights(f"holds {path.name!r:.100}: only safetensors are served, never pickles")


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object; raises `UnfitWeights`."""
    try:
        with path.open("rb") as file:
            content: Any = json.loads(file.read(MAX_CONFIG_BYTES))
    except FileNotFoundError:
        raise UnfitWeights(f"{path.name} is missing") from None
    except (ValueError, RecursionError) as error:
        raise UnfitWeights(f"{path.name} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise UnfitWeights(f"{path.name} is no JSON object")
    return content


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors that a safetensors file declares; raises `UnfitWeights` for one that is not whole."""
    if not path.is_file():
        raise UnfitWeights(f"{path.name} is missing")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(PREFIX_BYTES), "little")
        left = path.stat().st_size - PREFIX_BYTES - length
        if length > MAX_HEADER_BYTES or left < 0:
            raise UnfitWeights(f"{path.name} is not whole: its header alone would be longer than the file")
        return tensors(file.read(length), left)

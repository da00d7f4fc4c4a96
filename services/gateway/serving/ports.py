"""What serving needs from the outside: engines, weights on a disk, and the traffic splits of the inference part."""

from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.engine_weights import EngineWeights
from services.gateway.serving.domain.lineage import Lineages, RollbackPin
from services.gateway.serving.domain.lora_adapter import AdapterFiles
from shared.weights.header import Tensor


class EngineUnreachable(Exception):
    """The engine gave no answer: it is down, or the connection broke before the first byte."""


class EngineGone(EngineUnreachable):
    """The engine's port is closed."""


class EngineError(Exception):
    """The engine refused a call; the message is the engine's own."""


@dataclass(frozen=True)
class ModelCard:
    """The path from which the engine loaded a model, and the tokens that it takes, if it says so."""

    root: str
    context_length: int | None = None


class Engine(Protocol):
    """Control of vLLM replicas by URL. Each call raises `EngineUnreachable`, or `EngineError` when it is refused."""

    async def models(self, url: str) -> dict[str, ModelCard]:
        """What the engine reports of each name that can be called."""
        ...

    async def load(self, url: str, name: str, folder: Path) -> None:
        """Load an adapter; nothing happens when it is loaded already."""
        ...

    async def unload(self, url: str, name: str) -> None: ...

    async def probe(self, url: str, name: str) -> None:
        """Send one real request for one token."""
        ...

    async def weights(self, url: str) -> EngineWeights:
        """The version of the engine's own weights, and whether it is paused."""
        ...

    async def mark(self, url: str, marker: str) -> None:
        """Set the version that `weights` reports."""
        ...

    async def pause(self, url: str) -> None:
        """Hold new requests back and wait until all others are answered; nothing happens when it is paused."""
        ...

    async def reload(self, url: str, folder: Path) -> None:
        """Replace the engine's own weights by those of a folder, and drop its prefix cache."""
        ...

    async def resume(self, url: str) -> None: ...


class WeightFolders(Protocol):
    """Weights on a disk that engines read too. Each method raises `UnfitWeights` for damaged files."""

    def adapter(self, folder: Path) -> AdapterFiles: ...

    def whole(self, folder: Path) -> Mapping[str, Tensor]:
        """The tensors of a whole model."""
        ...

    async def merge(self, root: str, adapter: Path, target: Path) -> None:
        """Write the base model's weights with the adapter added into `target`, atomically."""
        ...

    async def close(self) -> None:
        """End the process that merges."""
        ...

    def base(self, root: str) -> Mapping[str, Tensor]:
        """The base model's tensors below an engine's own path; empty where they cannot be read from here."""
        ...


class TrafficPlans(Protocol):
    """How requests of stable names are split among versions; owned by the inference part."""

    async def refresh(
        self, lineages: Lineages, pins: Mapping[str, RollbackPin], bases: Container[str]
    ) -> list[Deployment]:
        """Read the splits again; returns the deployments that they need loaded."""
        ...

    async def clear(self, alias: str) -> None:
        """End the split of a name, so that its current version answers every request."""
        ...


Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host; raises `OSError` or `TimeoutError` when they cannot be resolved now."""

"""What an engine reports about its own weights, and whether a checkpoint can replace them."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.weights.header import Tensor, UnfitWeights

# The marker while weights are being replaced, so that they may be a mix of two versions.
REPLACING = "assay-replacing"


@dataclass(frozen=True)
class EngineWeights:
    """What an engine reports: the marker of its weights, and whether it is paused."""

    marker: str
    paused: bool

    @property
    def sure(self) -> bool:
        """Whether the engine answers, and from one version only."""
        return self.marker != REPLACING and not self.paused


def check_whole(found: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> None:
    """Raises `UnfitWeights` unless the checkpoint has exactly the base model's tensors, in the same shapes.

    An engine only warns about a missing tensor and keeps the old one: its answers would mix two versions.
    """
    if not base:
        raise UnfitWeights(
            "the gateway cannot read the base model's files, so it cannot check the checkpoint against them"
        )
    if missing := sorted(base.keys() - found.keys()):
        raise UnfitWeights(f"the checkpoint lacks {len(missing)} tensors, such as {missing[0]!r:.200}")
    if unknown := sorted(found.keys() - base.keys()):
        raise UnfitWeights(f"the checkpoint has a tensor that the base model lacks: {unknown[0]!r:.200}")
    for name, tensor in base.items():
        if found[name].shape != tensor.shape:
            raise UnfitWeights(f"{name!r:.200} is {found[name].shape} in the checkpoint, {tensor.shape} in the base")

"""The child process that merges an adapter into its base model."""

from pathlib import Path

from shared import child
from shared.pace import Pace
from shared.weights.header import UnfitWeights
from shared.weights.merging import merge


def main(parent: child.Parent) -> None:
    """Say nothing, or why it can never be done; any other error ends the process."""
    asked = parent.request
    base, adapter, target = (Path(asked[name]) for name in ("base", "adapter", "target"))
    try:
        merge(base, adapter, target, Pace(asked["share"]).rest)
    except UnfitWeights as error:
        parent.send({"unfit": str(error)})


if __name__ == "__main__":
    child.run(main)

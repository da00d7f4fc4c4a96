"""The child process that merges an adapter into its base model."""

from pathlib import Path

from shared import child
from shared.weights.header import UnfitWeights
from shared.weights.merging import merge


def main(parent: child.Parent) -> None:
    """Say nothing, or why it can never be done; any other error ends the process."""
    asked = {name: Path(path) for name, path in parent.request.items()}
    try:
        merge(**asked)
    except UnfitWeights as error:
        parent.send({"unfit": str(error)})


if __name__ == "__main__":
    child.run(main)

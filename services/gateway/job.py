"""The child process that merges an adapter into its base model."""

from pathlib import Path

from services.gateway.adapters.merging import merge
from services.gateway.domain.weights import UnfitWeights
from shared import child


def main(parent: child.Parent) -> None:
    """Say nothing, or why it can never be done; any other error ends the process."""
    asked = {name: Path(path) for name, path in parent.request.items()}
    try:
        merge(**asked)
    except UnfitWeights as error:
        parent.send({"unfit": str(error)})


if __name__ == "__main__":
    child.run(main)

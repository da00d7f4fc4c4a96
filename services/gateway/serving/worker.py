"""The child process that merges adapters into their base models, one after another."""

from pathlib import Path

from shared import child
from shared.throttle import Throttle
from shared.weights.header import UnfitWeights
from shared.weights.merging import merge


def main(parent: child.Parent) -> None:
    """Send back why the weights can never be merged; any other error ends the process."""
    asked = parent.request
    base, adapter, target = (Path(asked[name]) for name in ("base", "adapter", "target"))
    try:
        merge(base, adapter, target, Throttle(asked["share"]).wait)
    except UnfitWeights as error:
        parent.send({"unfit": str(error)})
    else:
        parent.send({"unfit": None})


if __name__ == "__main__":
    child.run(main, again=True)

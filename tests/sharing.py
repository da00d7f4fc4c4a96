"""Which tests share a process when two processes share the tests, and in what order they come."""

from pathlib import PurePath

import pytest
from xdist.scheduler import LoadScopeScheduling

# An engine takes a minute or two to start, and three gigabytes: one serves all of these.
WITH_AN_ENGINE = ("test_evaluator.py", "test_gateway_serving.py", "test_the_line.py")
# The longest come first, so that both processes end together.
_FIRST = ("engine", "training")


class BySharing(LoadScopeScheduling):
    """A file's tests stay together, and so do all that need vLLM, and all that train."""

    def _split_scope(self, nodeid: str) -> str:
        return shares(nodeid)


def shares(nodeid: str) -> str:
    """The name of those that a test shares a process with."""
    file = PurePath(nodeid.split("::", maxsplit=1)[0])
    if file.name in WITH_AN_ENGINE:
        return "engine"
    return "training" if file.name.startswith("test_training_") else str(file)


def place(item: pytest.Item) -> int:
    """What tests are sorted by. The whole line comes last of all that share its engine: it kills it."""
    name = shares(item.nodeid)
    return 2 * _FIRST.index(name) + ("e2e" in item.nodeid) if name in _FIRST else 2 * len(_FIRST)

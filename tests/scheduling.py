"""The order of tests, and which tests run in the same process when several processes share them."""

from pathlib import PurePath

import pytest
from xdist.scheduler import LoadScopeScheduling

_ENGINE, _TRAINING = "engine", "training"
_WITH_AN_ENGINE = ("test_evaluator.py", "test_gateway_serving.py")


class SharedProcessScheduling(LoadScopeScheduling):
    """Tests of one file run in one process; so do all that need vLLM, and all that train.

    The end-to-end tests use the engine of the tests before them: a second engine would take minutes and gigabytes.
    Their training has the lowest priority. It takes the time of the cores that the other processes leave.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _shares(nodeid)


def place(item: pytest.Item) -> tuple[int, bool]:
    """The sort key of tests: the longest first, so that all processes end together.

    The end-to-end tests come last of those with an engine: the stack that they start calls it, and others count calls.
    """
    return {_ENGINE: 0, _TRAINING: 1}.get(_shares(item.nodeid), 2), _is_end_to_end(item.nodeid)


def _shares(nodeid: str) -> str:
    """The name of the group of tests that share a process."""
    name = _file(nodeid).name
    if _is_end_to_end(nodeid) or name in _WITH_AN_ENGINE:
        return _ENGINE
    return _TRAINING if name.startswith("test_training_") else str(_file(nodeid))


def _is_end_to_end(nodeid: str) -> bool:
    return "e2e" in _file(nodeid).parts


def _file(nodeid: str) -> PurePath:
    return PurePath(nodeid.split("::", maxsplit=1)[0])

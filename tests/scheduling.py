"""The order of tests, and which tests run in the same process when several processes share them."""

from pathlib import PurePath

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_ENGINE, _TRAINING, _LINE = "engine", "training", "line"
_WITH_AN_ENGINE = ("test_evaluator.py", "test_gateway_serving.py")


class SharedProcessScheduling(LoadScopeScheduling):
    """Tests of one file run in one process; so do all that need vLLM, and all that train.

    The end-to-end test runs in the process that has an engine: a second engine would take minutes and gigabytes.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _shares(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        with_engine = [one for one, scopes in self.assigned_work.items() if _ENGINE in scopes]
        if next(iter(self.workqueue)) == _LINE and with_engine and node not in with_engine:
            node.shutdown()
        else:
            super()._assign_work_unit(node)


def place(item: pytest.Item) -> int:
    """The sort key of tests: the longest first, so that all processes end together; the end-to-end test last."""
    places = {_ENGINE: 0, _TRAINING: 1, _LINE: 3}
    return places.get(_shares(item.nodeid), 2)


def _shares(nodeid: str) -> str:
    """The name of the group of tests that share a process."""
    file = PurePath(nodeid.split("::", maxsplit=1)[0])
    if "e2e" in file.parts:
        return _LINE
    if file.name in _WITH_AN_ENGINE:
        return _ENGINE
    return _TRAINING if file.name.startswith("test_training_") else str(file)

"""Which tests share a process when two processes share the tests."""

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

# An engine takes a minute to start, and three gigabytes: one serves all of these.
WITH_AN_ENGINE = ("test_evaluator.py", "test_gateway_serving.py")


class BySharing(LoadScopeScheduling):
    """A file's tests stay together, and so do all that need vLLM, and all that train."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePath(nodeid.split("::", maxsplit=1)[0])
        if file.name in WITH_AN_ENGINE:
            return "engine"
        return "training" if file.name.startswith("test_training_") else str(file)

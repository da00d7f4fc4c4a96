"""Which servers the tests use in place of the laptop's. CONTRIBUTING.md says how to choose them."""

import os
from pathlib import Path

from tests.mongo_server import MongoServer

SECOND = Path(__file__).parents[1] / ".second" / "bin"
"""The environment of servers that only the tests use; `make second` makes it."""


def chosen(name: str) -> str:
    """The server that the environment chooses, such as `ASSAY_TEST_NATS=cluster`; empty for the laptop's."""
    return os.environ.get(f"ASSAY_TEST_{name}", "")


def program(name: str) -> Path:
    """A program of the second environment; raises `FileNotFoundError` with what to do."""
    if not (found := SECOND / name).exists():
        raise FileNotFoundError(f"{found} is missing: run `make second`")
    return found


class SecantusServer(MongoServer):
    """SecantusDB: MongoDB's wire protocol over WiredTiger. It is GPL, so it is in an environment of the tests alone."""

    @property
    def command(self) -> list[str | Path]:
        return [program("secantusd-py"), "--port", str(self.port), "--storage-path", self.folder / "data"]

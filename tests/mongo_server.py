"""The laptop's MongoDB server in a test."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.ports import wait_for_port


@dataclass
class MongoServer:
    """It can be killed and started again over the same data. Its output is in `folder`."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str | Path]:
        # By default all of its processes share one pid file, and a second one ends at once.
        return [
            *(Path(sys.executable).parent / "nx-27017", "-p", str(self.port), "--data-dir", self.folder / "data"),
            *("--pid-file", self.folder / "pid", "--log-file", self.folder / "log"),
        ]

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, cwd=self.folder)
        wait_for_port(self.port)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

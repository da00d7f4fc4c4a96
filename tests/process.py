"""A server process of a test, which is killed, suspended and started again on the same port."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.settings import CommonSettings
from tests.ports import wait_for_port, wait_until_free


@dataclass
class Process:
    """It must listen again within `start_s`. Without `log` its output is dropped. It runs in `folder`."""

    command: Sequence[str | Path]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    start_s: float = 30.0
    log: Path | None = None
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, **self.environment}
        with (self.log or Path(os.devnull)).open("ab") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=environment, stdout=output, stderr=output
            )

    def wait(self) -> None:
        wait_for_port(self.port, self.start_s)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        # Of several processes the first one's end is not yet the last one's.
        wait_until_free(self.port)

    def suspend(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def environment_of(settings: CommonSettings) -> dict[str, str]:
    """The environment variables that give a service these settings."""
    return {f"ASSAY_{name.upper()}": str(value) for name, value in settings.model_dump(mode="json").items()}


def command(settings: CommonSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the operator's commands, such as `shared.backup save`, with these settings."""
    environment = {**os.environ, **environment_of(settings)}
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )

"""Real training processes, forked from a server that has done its imports, so that tests can kill many of them."""

import asyncio
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from services.trainer.adapters.worker_processes import worker_request
from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import BaseModel
from shared.child import ChildDied, Parent


def context() -> ForkServerContext:
    """One server for all tests of a run; its imports take some seconds, once."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["services.trainer.worker"])
    return forks


@dataclass(eq=False)
class ForkedProcess:
    """A forked worker process, with the interface of `WorkerProcess`."""

    process: BaseProcess
    receiver: Connection
    messages_sent: int = 0
    """How many messages it has sent."""

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        reader = asyncio.StreamReader(limit=4 * 1024 * 1024)
        pipe = os.fdopen(os.dup(self.receiver.fileno()), "rb")
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        while line := await reader.readline():
            # A process that is killed in the middle of a message leaves half a line.
            if line.endswith(b"\n"):
                self.messages_sent += 1
                yield json.loads(line)
        await asyncio.to_thread(self.process.join)
        if self.process.exitcode:
            raise ChildDied(self.process.exitcode, "")

    def ask_to_stop(self) -> None:
        self.process.terminate()

    def ask_to_save_and_stop(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGUSR1)

    async def kill(self) -> None:
        if self.process.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid or 0, signal.SIGKILL)
            self.process.kill()
        await asyncio.to_thread(self.process.join)


# One thread: two that wait for one another take longer over a model as small as the tests'.
_HOW = {"precision": "fp32", "niceness": 0, "threads": 1}


def start(request: dict[str, Any]) -> ForkedProcess:
    """A process that trains in 32 bits, as `python -m services.trainer.worker` would.

    Beside what that is asked for, `memory` and `file_size` limit what it may take and write, in bytes.
    """
    receiver, sender = context().Pipe(duplex=False)
    process = context().Process(target=_work, args=(_HOW | request, sender))
    process.start()
    sender.close()
    return ForkedProcess(process, receiver)


@dataclass
class ForkedProcesses:
    """Starts them; `newest` is the last one."""

    artifacts_root: str
    work_dir: Path
    newest: ForkedProcess | None = None

    async def start(self, run: TrainingRun, base_model: BaseModel) -> ForkedProcess:
        folder = self.work_dir / f"{run.id}-{run.attempt}"
        request = worker_request(run, base_model, self.artifacts_root, folder)
        self.newest = start(request)
        return self.newest


class ForkedWorkers(ForkedProcesses):
    """Takes the place of `WorkerProcesses` in a trainer. `options` and `keep_ready` are not used."""

    def __init__(self, artifacts_root: str, work_dir: Path, _options: object, _keep_ready: bool) -> None:
        super().__init__(artifacts_root, work_dir)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        yield


def _work(request: dict[str, Any], sender: Connection) -> None:
    from services.trainer.worker import main

    # Its own process group, like a child process: killing the group ends everything it started.
    os.setsid()
    if memory := request.pop("memory", None):
        limit = memory + resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if file_size := request.pop("file_size", None):
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    main(Parent(request, sender.fileno()))

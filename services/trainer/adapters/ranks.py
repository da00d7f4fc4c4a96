"""One job in several processes: this one is the first, and starts the others, which end with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import torch

_MODULE = "services.trainer.job"


def rank() -> int:
    """This process's number in its job; 0 speaks and saves for all."""
    return int(os.environ.get("RANK", "0"))


def processes_for(batch_size: int, asked: int) -> int:
    """How many processes share a batch: as many as asked for (0: as there are GPUs), or fewer that divide it."""
    wanted = asked or max(1, torch.cuda.device_count())
    return next(count for count in range(min(wanted, batch_size), 0, -1) if batch_size % count == 0)


class Others:
    """The other processes of a job, each with its request.

    `accelerate` finds its peers by these variables, the same that its own launcher sets.
    """

    def __init__(self, request: dict[str, Any], processes: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0"}
        self._ending = False
        self._processes = [_start(request, number) for number in range(1, processes)]
        for process in self._processes:
            threading.Thread(target=self._fall_with, args=[process], daemon=True).start()

    def end(self, grace_s: float) -> None:
        """Wait for them for so long, then end them."""
        self._ending = True
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
            process.kill()

    def _fall_with(self, process: subprocess.Popen[bytes]) -> None:
        """All others would wait for a process that died in vain: end with it, and the job is tried again."""
        if process.wait() != 0 and not self._ending:
            os.killpg(os.getpgrp(), signal.SIGKILL)


def _start(request: dict[str, Any], number: int) -> subprocess.Popen[bytes]:
    variables = {**os.environ, "RANK": str(number), "LOCAL_RANK": str(number)}
    command = [sys.executable, "-m", _MODULE]
    # Its input stays open: when this process is gone, however it went, so is the other.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=variables)  # noqa: S603
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    return process

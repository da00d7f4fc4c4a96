"""Ranks of a job that is trained in several processes: rank 0 starts the others, which end with it."""

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

_MODULE = "services.trainer.worker"


def rank() -> int:
    """This process's number in its job; only rank 0 sends messages and saves."""
    return int(os.environ.get("RANK", "0"))


def processes_for(batch_size: int, asked: int) -> int:
    """How many processes share a batch: `asked` (0: the number of GPUs), reduced until it divides the batch."""
    wanted = asked or max(1, torch.cuda.device_count())
    return next(count for count in range(min(wanted, batch_size), 0, -1) if batch_size % count == 0)


class OtherRanks:
    """The other processes of a job. They get the variables that `accelerate launch` would set."""

    def __init__(self, request: dict[str, Any], processes: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0"}
        self._ending = False
        self._processes = [_start(request, number) for number in range(1, processes)]
        for process in self._processes:
            threading.Thread(target=self._die_with, args=[process], daemon=True).start()

    def end(self, grace_s: float) -> None:
        """Wait up to `grace_s` seconds, then kill them."""
        self._ending = True
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
            process.kill()

    def _die_with(self, process: subprocess.Popen[bytes]) -> None:
        """If one process dies, the others would wait for it forever: kill all, so that the job is retried."""
        if process.wait() != 0 and not self._ending:
            os.killpg(os.getpgrp(), signal.SIGKILL)


def _start(request: dict[str, Any], number: int) -> subprocess.Popen[bytes]:
    variables = {**os.environ, "RANK": str(number), "LOCAL_RANK": str(number)}
    command = [sys.executable, "-m", _MODULE]
    # Its standard input stays open while this process lives; it exits when the input closes.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=variables)  # noqa: S603
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    return process

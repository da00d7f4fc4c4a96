"""All processes of a command under `whole_group` end, whichever is killed first."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import runs

# A server that, as vLLM does, starts an engine that would outlive it, and writes both process ids.
SERVER = """
import os, subprocess, sys, time
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".part", "w") as file: file.write(f"{os.getpid()} {engine.pid}")
os.replace(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    pids = tmp_path / "pids"
    command = [sys.executable, "-m", "deploy.local.whole_group", sys.executable, "-c", SERVER, str(pids)]
    wrapper = subprocess.Popen(command, process_group=0)
    wait_until(pids.exists)
    server, engine = (int(pid) for pid in pids.read_text().split())
    yield wrapper, server, engine
    for pid in (wrapper.pid, server, engine):
        if runs(pid):
            os.kill(pid, signal.SIGKILL)
    wrapper.wait()


def wait_until(condition, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_killing_the_server_ends_its_engine(running):
    wrapper, server, engine = running
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: not runs(engine))
    assert wrapper.wait(timeout=10) != 0


def test_killing_the_wrapper_ends_everything(running):
    wrapper, server, engine = running
    os.kill(wrapper.pid, signal.SIGKILL)
    wait_until(lambda: not runs(server) and not runs(engine))


def test_sigterm_ends_the_group(running):
    wrapper, server, engine = running
    os.killpg(wrapper.pid, signal.SIGTERM)
    wait_until(lambda: not runs(server) and not runs(engine))
    wrapper.wait(timeout=10)

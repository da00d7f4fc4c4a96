"""Configures and starts supervisord, and controls its programs."""

import os
import shlex
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from deploy.local.programs import Program
from deploy.local.settings import LocalSettings

_ROOT = Path(__file__).resolve().parents[2]
_BIN = Path(sys.executable).parent
_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 60.0
_RUNS = ("RUNNING", "STARTING", "BACKOFF")
_DONE = "EXITED"


class SupervisionError(Exception):
    """supervisord did not start or did not stop."""


def configuration(settings: LocalSettings, programs: tuple[Program, ...], extra: dict[str, str]) -> str:
    """The text of `supervisord.conf`; every program gets the environment `extra`."""
    head = f"""[supervisord]
logfile={_text(str(settings.logs / "supervisord.log"))}
pidfile={_text(str(settings.state / "supervisord.pid"))}
directory={_text(str(_ROOT))}
childlogdir={_text(str(settings.logs))}
umask=077

[unix_http_server]
file={_text(str(settings.supervisor_socket))}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_section(settings, program, extra) for program in programs)


def _section(settings: LocalSettings, program: Program, extra: dict[str, str]) -> str:
    environment = {"PYTHONUNBUFFERED": "1", **extra, **program.environment}
    return f"""
[program:{program.name}]
command={_text(shlex.join(program.command))}
environment={",".join(f"{name}={_quoted(value)}" for name, value in environment.items())}
autostart=false
autorestart={"unexpected" if program.one_shot else "true"}
startsecs={0 if program.one_shot else 2}
startretries=1000
stopwaitsecs=20
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={_text(str(settings.logs / f"{program.name}.log"))}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _text(value: str) -> str:
    # supervisord has no escapes inside quotes, expands `%` once or twice, and ends a value at ` ;`.
    if "%" in value or "\n" in value or " ;" in value:
        raise SupervisionError(
            f"supervisord cannot read the value {value!r}: use a path without quotes, semicolons and %"
        )
    return value


def _quoted(value: str) -> str:
    if "'" in value:
        raise SupervisionError(
            f"supervisord cannot read the value {value!r}: use a path without quotes, semicolons and %"
        )
    return f"'{_text(value)}'"


class Supervisor:
    """The supervisord of one state folder, controlled through its unix socket."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    @property
    def _rpc(self) -> Any:
        # A transport keeps a broken connection, so each call gets a new transport.
        transport = SupervisorTransport(None, None, f"unix://{self._settings.supervisor_socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def pid(self) -> int | None:
        """The process id of supervisord; None if it is not running."""
        try:
            return int(self._rpc.getPID())
        except (OSError, HTTPException):
            return None

    def start(self) -> None:
        """Start supervisord as a daemon and wait until it answers."""
        command = [_BIN / "supervisord", "-c", self._settings.supervisor_config]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT_S, check=False)
        if result.returncode != 0:
            raise SupervisionError(f"supervisord did not start: {result.stdout}{result.stderr}".strip())
        self._wait(lambda: self.pid() is not None, _START_TIMEOUT_S, "supervisord does not answer")

    def running(self) -> set[str]:
        """The programs that are running or have finished; empty if supervisord is not running."""
        if self.pid() is None:
            return set()
        return {state["name"] for state in self.states() if state["statename"] in (*_RUNS, _DONE)}

    def start_programs(self, names: list[str]) -> None:
        """Start the named programs in this order, without waiting for them."""
        for name in names:
            self._rpc.startProcess(name, False)

    def states(self) -> list[dict[str, Any]]:
        """For each program `name`, `statename`, `pid`, `description` and more, as reported by supervisord."""
        return list(self._rpc.getAllProcessInfo())

    def restart(self, name: str) -> None:
        """Stop and start a program; raises `SupervisionError` for an unknown name."""
        try:
            if self._rpc.getProcessInfo(name)["statename"] in _RUNS:
                self._rpc.stopProcess(name)
            self._rpc.startProcess(name)
        except Fault as fault:
            raise SupervisionError(f"{name}: {fault.faultString}") from None

    def shutdown(self) -> None:
        """Stop every program, then supervisord, and wait until it has ended."""
        pid = self.pid()
        if pid is None:
            return
        self._rpc.shutdown()
        self._wait(lambda: not _runs(pid), _STOP_TIMEOUT_S, f"supervisord (process {pid}) did not end")

    def _wait(self, condition: Any, timeout_s: float, complaint: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise SupervisionError(f"{complaint} after {timeout_s:.0f} s; see {self._settings.logs}")
            time.sleep(0.1)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

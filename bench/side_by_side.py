"""Shared by all benchmarks: virtual environments for peers, servers pinned to a core, tables and a verdict."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(".assay/bench")
UV = Path(sys.executable).with_name("uv")


def environment(peer: str, *requirements: str, no_deps: bool = False) -> Path:
    """The `bin` folder of the peer's virtual environment, made once for these (pinned) requirements."""
    folder = (FOLDER / peer).resolve()
    made = folder / "requirements.sha256"
    digest = hashlib.sha256(json.dumps([requirements, no_deps]).encode()).hexdigest()
    if not made.exists() or made.read_text() != digest:
        print(f"making {folder}: {' '.join(requirements)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        install = [UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *requirements]
        subprocess.run([*install, *(["--no-deps"] if no_deps else [])], check=True)
        made.write_text(digest)
    return folder / "bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    *,
    core: int | None = None,
    variables: Mapping[str, str] | None = None,
    timeout_s: float = 120,
) -> Generator[subprocess.Popen[bytes]]:
    """A server on `port`, pinned to one core; it is ended with all its children.

    Its output goes to `.assay/bench/logs/<program>-<port>.log`. Raises `RuntimeError` if it does not start.
    """
    log = FOLDER / "logs" / f"{Path(command[0]).name}-{port}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    pin = ["taskset", "-c", str(core)] if core is not None else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*pin, *command],
            stdout=output,
            stderr=output,
            env={**os.environ, **(variables or {})},
            start_new_session=True,
        )
    try:
        _wait(process, port, log, timeout_s)
        yield process
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"nothing listens on port {port}: {log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(10)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def show(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; floats with three significant digits, numbers to the right."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    for first, *others in cells:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join((first.ljust(widths[0]), *numbers)))
    print()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


@dataclass(frozen=True)
class Ratio:
    """A measured ratio with its limit: at least `must`, or at most if `most` is set; `aim` is the goal."""

    name: str
    value: float
    must: float
    aim: float
    most: bool = False

    @property
    def holds(self) -> bool:
        return self.value <= self.must if self.most else self.value >= self.must


def verdict(benchmark: str, ratios: Sequence[Ratio], **figures: object) -> int:
    """Print the ratios and one line of JSON; returns the exit status, 1 if a ratio does not hold."""
    sign = {True: "<=", False: ">="}
    show(
        ["ratio", "measured", "must", "aim", "holds"],
        [[r.name, r.value, f"{sign[r.most]} {r.must:g}", f"{r.aim:g}", "yes" if r.holds else "NO"] for r in ratios],
    )
    holds = all(ratio.holds for ratio in ratios)
    measured = {ratio.name: round(ratio.value, 4) for ratio in ratios}
    print(json.dumps({"benchmark": benchmark, "holds": holds, "ratios": measured, **figures}), flush=True)
    return 0 if holds else 1

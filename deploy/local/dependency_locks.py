"""Resolves `pyproject.toml` to the locks: `python -m deploy.local.dependency_locks`, with options of uv."""

import os
import subprocess
import sys
from dataclasses import dataclass

from deploy.local.set_up import ROOT, VENV, machine_environment

_SERVICES = ("ingest", "trainer", "evaluator", "review", "gateway")
# Hashes and versions only: the address of an index would tie the lock to one network.
_OPTIONS = ("--python-version=3.11", "--python-platform=x86_64-manylinux_2_28", "--generate-hashes")
_QUIET = ("--no-annotate", "--no-header", "--quiet")


@dataclass(frozen=True)
class Lock:
    """One lock file: its extras and its options for uv."""

    name: str
    extras: tuple[str, ...]
    options: tuple[str, ...] = ()


LOCKS = (
    Lock("cpu", (*_SERVICES, "local", "cpu", "dev"), ("--overrides=locks/cpu.overrides.txt",)),
    Lock("gpu", (*_SERVICES, "gpu"), ("--overrides=locks/gpu.overrides.txt",)),
    # For lint and unit tests without torch, with the versions of the cpu lock.
    Lock("dev", ("ingest", "evaluator", "review", "gateway", "local", "dev"), ("--constraints=locks/cpu.txt",)),
)


def command(lock: Lock) -> list[str]:
    """The command that makes this lock; run it in the project's root."""
    extras = [f"--extra={extra}" for extra in lock.extras]
    output = f"--output-file=locks/{lock.name}.txt"
    return [str(VENV / "bin" / "uv"), "pip", "compile", "pyproject.toml", *extras, *_OPTIONS, *lock.options, output]


def main(options: list[str]) -> int:
    """Make every lock. Pinned versions that still fit are kept unless the options include `--upgrade`."""
    environment = {**os.environ, **machine_environment()}
    for lock in LOCKS:
        print(f"lock: {lock.name}", flush=True)
        result = subprocess.run([*command(lock), *_QUIET, *options], cwd=ROOT, env=environment, check=False)
        if result.returncode != 0:
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

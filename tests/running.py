"""Questions about other processes, which may end at any moment: one that is gone while it is looked at does not run."""

from contextlib import suppress

import psutil


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def descendants(argument: str) -> list[psutil.Process]:
    """This process's children, and theirs, that were started with `argument`."""
    return [child for child in psutil.Process().children(recursive=True) if argument in _arguments(child)]


def _arguments(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []

"""Runs a command and ends its whole process group when the command or this process ends.

vLLM's engine is a separate process. After `kill -9` of the API server it would keep running and hold gigabytes of
memory. Usage: `python -m deploy.local.whole_group COMMAND …`.
"""

import os
import signal
import subprocess
import sys


def main() -> None:
    """Run the command, then end the process group, so that the supervisor restarts it."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    lifeline, held_open = os.pipe()
    if os.fork() == 0:
        _end_the_group_after(lifeline, held_open)
    # The supervisor signals the whole group, so the command receives SIGTERM itself; this process waits for its end.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    subprocess.Popen(sys.argv[1:]).wait()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _end_the_group_after(lifeline: int, held_open: int) -> None:
    """Block until the only other holder of the pipe has ended, in whatever way."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.close(held_open)
    os.read(lifeline, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()

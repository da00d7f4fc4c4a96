"""Runs a command that must die whole: when its first process or this one ends, so does all that it started.

vLLM's engine is a process of its own. After `kill -9` on the API server it would live on, holding gigabytes and
serving nobody. Use: `python -m deploy.local.whole_group COMMAND …`; the process group is taken for the command's own.
"""

import os
import signal
import subprocess
import sys


def main() -> None:
    """Run the command and end with its process group, so that the supervisor starts it anew."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    lifeline, held_open = os.pipe()
    if os.fork() == 0:
        _end_the_group_after(lifeline, held_open)
    # The supervisor signals the whole group, so that the command hears SIGTERM itself; here its end is awaited.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    subprocess.Popen(sys.argv[1:]).wait()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _end_the_group_after(lifeline: int, held_open: int) -> None:
    """Block until the only other holder of the pipe is gone, however it ended."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.close(held_open)
    os.read(lifeline, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()

"""Runs a command that must die whole: when its first process ends, so do all that it started, however it ended.

vLLM's engine is a process of its own. After `kill -9` on the API server it would live on, holding gigabytes and
never answering again; and the API server would live on after its supervisor's child. Use:
`python -m deploy.local.whole_group COMMAND …`, as a process group of its own (supervisord makes one).
"""

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_the_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run the command; afterwards kill the group, this process included, so that the supervisor starts anew."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    # The supervisor signals the group, so that the command hears SIGTERM itself; this process waits for its end.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    process = subprocess.Popen(sys.argv[1:], preexec_fn=_die_with_the_parent)
    process.wait()
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()

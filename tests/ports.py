"""Find a free port, and wait until a port is open or closed."""

import random
import socket
import time

# Below those that the system lends to connections that go out: such a port can be gone before a server takes it.
_PORTS = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port that is not in use and was not returned before in this process."""
    while True:
        port = random.choice(_PORTS)
        if port not in _given and not _is_taken(port):
            _given.add(port)
            return port


def wait_for_port(port: int, timeout_s: float = 20) -> None:
    _wait(port, timeout_s, taken=True)


def wait_until_free(port: int, timeout_s: float = 20) -> None:
    _wait(port, timeout_s, taken=False)


def _wait(port: int, timeout_s: float, *, taken: bool) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if _is_taken(port) == taken:
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}" if taken else f"somebody still listens on port {port}")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

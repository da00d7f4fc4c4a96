"""Long work in a child process, which gets JSON requests, sends JSON lines, and never outlives its parent."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

_LINE_LIMIT_BYTES = 4 * 1024 * 1024


class ChildDied(Exception):
    """The child ended without a last message; `returncode` is negative for a signal."""

    def __init__(self, returncode: int, stderr_tail: str) -> None:
        super().__init__(f"the child process ended with code {returncode}: {stderr_tail[-2000:]}")
        self.returncode = returncode
        self.stderr_tail = stderr_tail


class Child:
    """A running child process, which sends messages by `Parent.send`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail = ""
        self._stderr = asyncio.create_task(self._read_stderr())

    @classmethod
    async def spawn(cls, module: str, environment: dict[str, str] | None = None) -> "Child":
        """Start `python -m module`, which does its imports and waits for a request.

        The child ends when its standard input is closed.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT_BYTES,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        return cls(process)

    @classmethod
    async def start(cls, module: str, request: dict[str, Any], environment: dict[str, str] | None = None) -> "Child":
        """`spawn` and `ask` in one."""
        child = await cls.spawn(module, environment)
        await child.ask(request)
        return child

    async def ask(self, request: dict[str, Any]) -> None:
        """Send a request; if the child has ended, `reply` raises the reason."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            await self._process.stdin.drain()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def reply(self) -> dict[str, Any]:
        """The next message; raises `ChildDied` when the child has ended."""
        assert self._process.stdout is not None
        if line := await self._process.stdout.readline():
            return json.loads(line)
        returncode = await self._process.wait()
        await self._stderr
        raise ChildDied(returncode, self._tail)

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Each message until the child ends; raises `ChildDied` when it ended with an error."""
        try:
            while True:
                yield await self.reply()
        except ChildDied as end:
            if end.returncode != 0:
                raise

    def ask_to_stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Ask the child to stop at its next safe point; the signal can say how."""
        if self._process.returncode is None:
            self._process.send_signal(sign)

    async def kill(self) -> None:
        """Kill the child and its own children; safe to call when it has ended."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._stderr.cancel()

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4096):
            text = chunk.decode(errors="replace")
            self._tail = (self._tail + text)[-8000:]
            sys.stderr.write(text)


class Children:
    """Starts children of one module. One can be kept ready, with its imports done."""

    def __init__(self, module: str, environment: dict[str, str] | None = None) -> None:
        self._module = module
        self._environment = environment
        self._ready: Child | None = None
        self._making = asyncio.Lock()

    async def keep_ready(self) -> None:
        """Make sure that a child waits for the next request."""
        async with self._making:
            if self._ready is None or not self._ready.alive:
                self._ready = await Child.spawn(self._module, self._environment)

    async def start(self, request: dict[str, Any], *, new: bool = False) -> Child:
        """Send the request to the child that is ready, or to a new one; with `new` only to a new one.

        What killed a child a moment ago may have killed the one that is ready, too.
        """
        child = None
        if not new:
            child, self._ready = self._ready, None
        if child is None or not child.alive:
            child = await Child.spawn(self._module, self._environment)
        await child.ask(request)
        return child

    async def close(self) -> None:
        """Kill the child that is ready; started children belong to their callers."""
        async with self._making:
            if self._ready is not None:
                await self._ready.kill()
                self._ready = None


class Parent:
    """The child's side: its request, and the channel for messages."""

    def __init__(self, request: dict[str, Any], channel: int) -> None:
        self.request = request
        self._channel = channel
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send one message; at most 4 MiB as JSON."""
        with self._lock:
            os.write(self._channel, json.dumps(message).encode() + b"\n")


def run(main: Callable[[Parent], None], *, again: bool = False) -> None:
    """Run a child's `main` for one request or, with `again`, for each request, which `main` answers with a message.

    Printed text goes to standard error. The child is killed when its parent ends.
    """
    channel = os.dup(sys.stdout.fileno())
    # Libraries print, and a printed line on the channel would break the protocol.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = SimpleQueue[bytes]()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        main(Parent(json.loads(requests.get()), channel))
        if not again:
            return


def _read_requests(requests: SimpleQueue[bytes]) -> None:
    # Not through sys.stdin, whose lock the interpreter needs when it exits.
    with open(0, "rb", closefd=False) as lines:
        for line in lines:
            requests.put(line)
    os.killpg(os.getpgrp(), signal.SIGKILL)

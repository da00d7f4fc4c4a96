"""Long work in a child process: started with one JSON document, heard by JSON lines, and never outliving its parent."""

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
    """The child ended without saying that it was done; `returncode` is negative for a signal."""

    def __init__(self, returncode: int, stderr_tail: str) -> None:
        super().__init__(f"the child process ended with code {returncode}: {stderr_tail[-2000:]}")
        self.returncode = returncode
        self.stderr_tail = stderr_tail


class Child:
    """A running child process. Its lines are the messages that it sent with `Parent.send`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tail = ""
        self._stderr = asyncio.create_task(self._read_stderr())

    @classmethod
    async def spawn(cls, module: str, environment: dict[str, str] | None = None) -> "Child":
        """Start `python -m module`, which imports what it needs and waits for its request.

        Its standard input stays open as its lifeline.
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
        """Give the child a request, the one of its life or its next; one that has ended hears nothing and tells why."""
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
        """The next message; raises `ChildDied` when there is none any more."""
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
        """Let the child end at its next good moment; the signal can say how."""
        if self._process.returncode is None:
            self._process.send_signal(sign)

    async def kill(self) -> None:
        """End the child and whatever it started, now; safe to call when it has ended."""
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
    """Starts children of one module. One more can be kept ready: its imports done, waiting for its request."""

    def __init__(self, module: str, environment: dict[str, str] | None = None) -> None:
        self._module = module
        self._environment = environment
        self._ready: Child | None = None
        self._making = asyncio.Lock()

    async def keep_ready(self) -> None:
        """See that a child waits for the next request."""
        async with self._making:
            if self._ready is None or not self._ready.alive:
                self._ready = await Child.spawn(self._module, self._environment)

    async def start(self, request: dict[str, Any]) -> Child:
        """Give the request to the child that is ready, or to a new one."""
        child, self._ready = self._ready, None
        if child is None or not child.alive:
            child = await Child.spawn(self._module, self._environment)
        await child.ask(request)
        return child

    async def close(self) -> None:
        """End the child that is ready; those that were started are their askers' own."""
        async with self._making:
            if self._ready is not None:
                await self._ready.kill()
                self._ready = None


class Parent:
    """The child's side: the request it was started with, and the way to speak."""

    def __init__(self, request: dict[str, Any], channel: int) -> None:
        self.request = request
        self._channel = channel
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send one message; at most 4 MiB as JSON."""
        with self._lock:
            os.write(self._channel, json.dumps(message).encode() + b"\n")


def run(main: Callable[[Parent], None], *, again: bool = False) -> None:
    """Run a child's `main` for its one request, or `again` for each that comes, which it then answers with a message.

    What it prints goes to standard error; it is ended at once when its parent is gone.
    """
    channel = os.dup(sys.stdout.fileno())
    # Libraries print; a stray line on the channel would break the protocol.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = SimpleQueue[bytes]()
    threading.Thread(target=_hear, args=(requests,), daemon=True).start()
    while True:
        main(Parent(json.loads(requests.get()), channel))
        if not again:
            return


def _hear(requests: SimpleQueue[bytes]) -> None:
    # Not through sys.stdin, whose lock the interpreter wants when it ends.
    with open(0, "rb", closefd=False) as heard:
        for line in heard:
            requests.put(line)
    os.killpg(os.getpgrp(), signal.SIGKILL)

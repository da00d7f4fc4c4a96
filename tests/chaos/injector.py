"""Injects faults into the line, and ends each of them."""

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from nats.errors import Error as NatsError

from shared import topology
from tests.chaos.line import Line
from tests.chaos.schedule import WORKER, Fault

RECENT = 30


@dataclass
class Injector:
    """Two faults of one target never overlap: the second waits for the end of the first."""

    line: Line
    connection: Any
    chance: random.Random
    say: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)
    _busy: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def inject(self, faults: list[Fault]) -> None:
        """Inject the faults one after the other, and return when all have ended."""
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                self.say(str(fault))
                group.create_task(self._one(fault))
                await asyncio.sleep(fault.next_s)

    async def _one(self, fault: Fault) -> None:
        async with self._busy[fault.target.removesuffix(WORKER)]:
            await getattr(self, f"_{fault.kind}")(fault)
        self.done[f"{fault.kind} {fault.target if fault.kind != 'delay' else 'consumer'}"] += 1

    async def _kill(self, fault: Fault) -> None:
        if fault.target.endswith(WORKER):
            self._signal_workers(fault.target, signal.SIGKILL)
            return
        program = self.line.programs[fault.target]
        await asyncio.to_thread(program.kill)
        await asyncio.sleep(fault.for_s)
        await asyncio.to_thread(program.start)

    async def _suspend(self, fault: Fault) -> None:
        if fault.target.endswith(WORKER):
            suspended = self._signal_workers(fault.target, signal.SIGSTOP)
        else:
            suspended = [self._process(fault.target)]
            suspended[0].send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.for_s)
        finally:
            for process in suspended:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)

    async def _remove(self, fault: Fault) -> None:
        """Like a file system that is not mounted: a file stored meanwhile would be hidden by the mount."""
        away = self.line.artifacts.with_suffix(".away")
        self.line.artifacts.rename(away)
        await asyncio.sleep(fault.for_s)
        with suppress(FileNotFoundError):
            # Fails if a service stored something: that is a fault of the product.
            self.line.artifacts.rmdir()
        away.rename(self.line.artifacts)

    async def _fill(self, fault: Fault) -> None:
        """Leave no space for artifacts, or, where no small disk can be mounted, for events."""
        if not self.line.disk.mounted:
            await self._fill_stream(fault.for_s)
            return
        await asyncio.to_thread(self.line.disk.fill)
        await asyncio.sleep(fault.for_s)
        self.line.disk.free()

    async def _fill_stream(self, for_s: float) -> None:
        js = self.connection.jetstream(timeout=5)

        async def limit(bytes_left: int) -> None:
            info = await js.stream_info(topology.EVENTS_STREAM)
            await js.update_stream(replace(info.config, max_bytes=info.state.bytes + bytes_left))

        await _when_nats_is_there(lambda: limit(1))
        await asyncio.sleep(for_s)
        await _when_nats_is_there(lambda: limit(self.line.settings.event_max_bytes))

    async def _duplicate(self, fault: Fault) -> None:
        """Publish some of the newest events again, in any order, without the ids by which NATS knows them."""
        js = self.connection.jetstream(timeout=5)

        async def publish_again() -> None:
            last = (await js.stream_info(topology.EVENTS_STREAM)).state.last_seq
            recent = range(max(1, last - RECENT), last + 1)
            for sequence in self.chance.sample(recent, min(len(recent), RECENT // 3)):
                message = await js.get_msg(topology.EVENTS_STREAM, sequence)
                await js.publish(message.subject, message.data, stream=topology.EVENTS_STREAM)

        await _when_nats_is_there(publish_again)

    async def _delay(self, fault: Fault) -> None:
        """Hold back all events of one consumer; the others get theirs, so that the order changes."""
        js = self.connection.jetstream(timeout=5)
        until = datetime.now(UTC) + timedelta(seconds=fault.for_s)
        consumer = next(each for each in topology.CONSUMERS if each.name == fault.target)
        await _when_nats_is_there(
            lambda: js.pause_consumer(consumer.stream, consumer.name, pause_until=until.isoformat())
        )
        await asyncio.sleep(fault.for_s)

    def _process(self, name: str) -> psutil.Process:
        process: Any = self.line.programs[name].process
        return psutil.Process(process.pid)

    def _signal_workers(self, target: str, sign: signal.Signals) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            workers = self._process(target.removesuffix(WORKER)).children(recursive=True)
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, sign)
            return workers
        return []


async def _when_nats_is_there(work: Callable[[], Any], timeout_s: float = 90) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                await work()
                return
            except (NatsError, OSError):
                await asyncio.sleep(0.5)

"""A whole gateway with an engine, NATS and a database, in a thread beside the browser."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import nats

from shared import topology
from shared.events import Candidate
from shared.settings import CommonSettings
from tests.gateway import Gateway, running
from tests.scripted_engine import ScriptedEngine, deployed, scripted_engine

NAME = "shop"


@dataclass
class RunningGateway:
    """The gateway, its engine, and the version that answers under `NAME`."""

    gateway: Any = None
    engine: Any = None
    version: Any = None
    ready: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    @property
    def started(self) -> tuple[Gateway, ScriptedEngine, Candidate]:
        if self.failure:
            raise self.failure
        return self.gateway, self.engine, self.version


@contextmanager
def gateway_beside(common: CommonSettings, nats_url: str) -> Iterator[RunningGateway]:
    """Run it until the block ends. Playwright's loop is the one of this thread, so the gateway gets another."""
    settings, run = common.model_copy(update={"nats_url": nats_url}), RunningGateway()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        await _declare(settings)
        async with scripted_engine() as engine, running(settings, [engine.url]) as gateway:
            sdk = gateway.sdk("infer")
            made = await deployed(gateway, settings, sdk, 1, NAME)
            await sdk.close()
            run.gateway, run.engine, run.version = gateway, engine, made
            run.ready.set()
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            run.failure = error
        finally:
            run.ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert run.ready.wait(90), "the gateway did not start"
        yield run
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _declare(settings: CommonSettings) -> None:
    client = await nats.connect(settings.nats_url)
    js = client.jetstream(timeout=30)
    for stream in await js.streams_info():
        await js.delete_stream(stream.config.name or "")
    await topology.declare(js, settings)
    await client.close()

"""All five services in this process, and what their databases hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from motor.motor_asyncio import AsyncIOMotorClient

import services.evaluator.app
import services.evaluator.config
import services.ingest.app
import services.ingest.config
import services.review.app
import services.review.config
import services.trainer.app
import services.trainer.config
from shared import topology
from shared.cloudevents import Envelope, EventData
from shared.consumers import Consumer
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.gateway import Gateway, eventually, running
from tests.ports import free_port

SERVICES = ("ingest", "trainer", "evaluator", "review", "gateway")


@dataclass
class FiveServices:
    """Each client has the key of an administrator."""

    gateway: Gateway
    http: httpx.AsyncClient
    """The gateway's."""
    ingest: httpx.AsyncClient
    trainer: httpx.AsyncClient
    evaluator: httpx.AsyncClient
    review: httpx.AsyncClient

    async def say(self, service: str, *facts: EventData) -> None:
        """Publish facts as a service does that has no engine and no model here."""
        for fact in facts:
            await self.gateway.bus.publish(Envelope.of(fact, service))

    async def idle(self) -> None:
        """Wait until every consumer has handled what is stored."""
        busy: list[str] = []

        async def nothing_waits() -> bool:
            busy[:] = [consumer.name for consumer in topology.CONSUMERS if await self._waits(consumer)]
            return not busy

        try:
            await eventually(nothing_waits, timeout_s=60)
        except TimeoutError:
            raise AssertionError(f"events still wait: {', '.join(busy)}") from None

    async def _waits(self, consumer: Consumer) -> bool:
        info = await self.gateway.bus.jetstream.consumer_info(consumer.stream, consumer.name)
        return bool(info.num_pending or info.num_ack_pending)


@asynccontextmanager
async def five_services(settings: CommonSettings, key: str, engine_url: str) -> AsyncIterator[FiveServices]:
    """Without base models: the trainer fails each job, and the evaluator reaches no engine."""
    headers = {"authorization": f"Bearer {key}"}
    apps = {
        "ingest": services.ingest.app.build(services.ingest.config.Settings(common=settings, keep_ready=False)),
        "trainer": services.trainer.app.build(services.trainer.config.Settings(common=settings, keep_ready=False)),
        "evaluator": services.evaluator.app.build(
            services.evaluator.config.Settings(common=settings, engine_url="http://127.0.0.1:1", engine_wait_s=0)
        ),
        "review": services.review.app.build(services.review.config.Settings(common=settings)),
    }
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running(settings, [engine_url]))
        urls = {name: await stack.enter_async_context(_served(app)) for name, app in apps.items()}
        clients = {
            name: await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=60))
            for name, url in {"http": gateway.url, **urls}.items()
        }
        yield FiveServices(gateway, **clients)


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=2))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def stored(settings: CommonSettings) -> dict[str, dict[str, Any]]:
    """The documents of each collection by id; a collection is named `<service>.<collection>`."""
    client: Any = AsyncIOMotorClient(settings.mongo_url)
    found: dict[str, dict[str, Any]] = {}
    for service in SERVICES:
        database = client[f"{settings.database_prefix}{service}"]
        for name in await database.list_collection_names():
            documents = [document async for document in database[name].find()]
            if documents:
                found[f"{service}.{name}"] = {document["_id"]: document for document in documents}
    client.close()
    return found


def without(document: Any, fields: Sequence[str]) -> Any:
    """A document without these fields at any depth, in a form that shows differences well."""
    if isinstance(document, dict):
        return {name: without(value, fields) for name, value in sorted(document.items()) if name not in fields}
    if isinstance(document, list):
        return [without(each, fields) for each in document]
    return json.loads(json.dumps(document, default=str))


def admin_key(keyring: Keyring) -> str:
    return keyring.create("operator", ("admin", "train", "review", "infer"))

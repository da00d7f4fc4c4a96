"""The gateway's fine-tuning part in memory: its routes, the official SDK, and its projection of events."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from openai import AsyncOpenAI

from services.gateway.common.api import error_responses
from services.gateway.common.app import Resources
from services.gateway.config import Settings
from services.gateway.fine_tuning.app import FineTuning, fine_tuning
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.security import Keyring, Scope
from shared.settings import CommonSettings
from shared.store.memory import MemoryStore
from tests.gateway import BASE


@dataclass
class FineTuningApp:
    """The part, and clients of it. No event is published: tests call the projection with those of other services."""

    part: FineTuning
    keyring: Keyring
    artifacts: Artifacts
    store: MemoryStore
    transport: httpx.ASGITransport

    def http(self, *scopes: Scope) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.keyring.create('test', scopes)}"}
        return httpx.AsyncClient(base_url="http://gateway", headers=headers, transport=self.transport)

    def sdk(self, *scopes: Scope) -> AsyncOpenAI:
        client = self.http(*scopes)
        key = client.headers["authorization"].removeprefix("Bearer ")
        return AsyncOpenAI(base_url="http://gateway/v1", api_key=key, max_retries=0, http_client=cast(Any, client))


def fine_tuning_app(folder: Path, base_models: Collection[str] = (BASE,), **own: Any) -> FineTuningApp:
    """`own` are settings of the gateway."""
    common = CommonSettings(artifacts=str(folder / "artifacts"), keys_file=folder / "keys.json")
    settings, artifacts, keyring = (
        Settings(common=common, **own),
        Artifacts(common.artifacts),
        Keyring(common.keys_file),
    )
    store = MemoryStore("gateway")
    resources = Resources(
        settings=settings,
        store=cast(Any, store),
        bus=cast(Bus, None),
        keyring=keyring,
        artifacts=artifacts,
        instance="test",
    )
    part = fine_tuning(resources, base_models=base_models)
    application = web.build(
        "gateway",
        settings,
        part.part.routes,
        checks={},
        lifespan=[],
        dependencies=part.part.dependencies,
        keyring=keyring,
        exception_handlers=error_responses.HANDLERS,
    )
    return FineTuningApp(part, keyring, artifacts, store, httpx.ASGITransport(cast(Any, application)))

"""Forms of the Serve page that change a part of a traffic split, while another administrator changes another part."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

from services.gateway.console.pages import serve_actions
from services.gateway.console.service.serving_overview import ServingOverviews
from services.gateway.inference.domain.traffic_split import AliasSplit, TrafficSplit
from services.gateway.inference.service.traffic_splits import TrafficSplits
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.service.versions import Lineage
from shared.security import Keyring
from shared.store import MemoryStore
from tests.gateway import candidate

NAME = "address"
MADE = candidate("a", suffix=NAME)
VERSION = MADE.version
DEPLOYMENT = Deployment.model_validate(
    {"id": "a", "at": 1.0, "candidate": MADE, "status": "deployed", "deployed_at": 1.0}
)


@dataclass
class OneVersion:
    """Stands for the versions of the name, for the directory and for its rollbacks.

    A form asks for the rollback when it has read the split; then the others change it, once.
    """

    others: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    @property
    def stored_pins(self) -> Self:
        return self

    async def get(self, _alias: str) -> None:
        while self.others:
            await self.others.pop()()

    async def of(self, alias: str) -> Lineage:
        return Lineage(alias, [DEPLOYMENT], DEPLOYMENT)

    async def refresh(self) -> None:
        """Does nothing."""


@pytest.fixture
def version() -> OneVersion:
    return OneVersion()


@pytest.fixture
async def overviews(version: OneVersion) -> ServingOverviews:
    store, unused = MemoryStore("gateway"), cast(Any, None)
    deployments = store.collection("deployments", Deployment)
    await deployments.create(DEPLOYMENT)
    return ServingOverviews(
        directory=cast(Any, version),
        splits=unused,
        deployments=deployments,
        splits_of_names=store.collection("routes", AliasSplit),
        pools=unused,
    )


@pytest.fixture
def splits(overviews: ServingOverviews, version: OneVersion) -> TrafficSplits:
    stub: Any = version
    return TrafficSplits(splits=overviews.splits_of_names, versions=stub, directory=stub, changed=asyncio.Event())


@pytest.fixture
def console(splits: TrafficSplits, overviews: ServingOverviews, tmp_path: Path) -> httpx.AsyncClient:
    keyring = Keyring(tmp_path / "keys.json")
    headers = {"authorization": f"Bearer {keyring.create('admin', ('admin',))}"}

    use_cases = {"splits": splits, "serving": overviews, "versions": None, "engines": None}
    app = Litestar(
        [*serve_actions.HANDLERS],
        state=State({"keyring": keyring}),
        dependencies={name: Provide(_give(value), sync_to_thread=False) for name, value in use_cases.items()},
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://console", headers=headers)


def _give(value: object) -> Callable[[], Any]:
    return lambda: value


async def send(console: httpx.AsyncClient, path: str, **typed: str) -> None:
    answer = await console.post(path, data={"name": NAME, **typed})
    assert answer.status_code == 303, answer.text


async def routing(splits: TrafficSplits) -> TrafficSplit:
    return (await splits.get(NAME)).now.routing


async def test_rules_that_are_added_at_once_are_both_added(console, splits, version) -> None:
    version.others.append(lambda: send(console, "/rules", header="x-team", equals="other", version=VERSION))
    await send(console, "/rules", header="x-team", equals="mine", version=VERSION)
    assert [rule.equals for rule in (await routing(splits)).rules] == ["other", "mine"]


async def test_a_shadow_leaves_a_rule_that_was_added_meanwhile(console, splits, version) -> None:
    version.others.append(lambda: send(console, "/rules", header="x-team", equals="other", version=VERSION))
    await send(console, "/shadow", version=VERSION, percent="10")
    changed = await routing(splits)
    assert ([rule.equals for rule in changed.rules], changed.shadow is not None) == (["other"], True)

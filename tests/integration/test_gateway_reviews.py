"""What people review is in the engines before they decide, and means nothing to callers: an engine in hand."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.domain.names import loaded_name
from shared.events import Artifact, Candidate, ModelDeploymentFailed
from shared.settings import CommonSettings
from tests.engine_in_hand import EngineInHand, adapter, engine_in_hand
from tests.gateway import Gateway, approved, candidate, eventually, rejected, review, running


@pytest.fixture
async def engine() -> AsyncIterator[EngineInHand]:
    async with engine_in_hand() as engine:
        yield engine


@pytest.fixture
async def gateway(bus_settings: CommonSettings, engine: EngineInHand) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [engine.url], on_demand=2) as gateway:
        yield gateway


async def names(gateway: Gateway) -> set[str]:
    async with gateway.http("infer") as http:
        return {model["id"] for model in (await http.get("/v1/models")).json()["data"]}


async def test_a_version_under_review_is_loaded_once_and_has_its_name_when_it_is_approved(
    gateway: Gateway, engine: EngineInHand, bus_settings: CommonSettings
) -> None:
    made = candidate("ftjob-reviewed", adapter=adapter(bus_settings, 1), suffix="reviewed")
    await gateway.say(review(made))
    await eventually(lambda: engine.loaded == [loaded_name(made)])
    assert "reviewed" not in await names(gateway)

    async def named() -> bool:
        return "reviewed" in await names(gateway)

    await gateway.say(approved(made))
    await eventually(named)
    assert engine.loaded == [loaded_name(made)]


async def test_what_people_turned_down_leaves_the_engine_and_only_the_last_reviews_are_loaded_ahead(
    gateway: Gateway, engine: EngineInHand, bus_settings: CommonSettings
) -> None:
    first, second, third = (
        candidate(f"ftjob-{n}", adapter=adapter(bus_settings, n), suffix=f"name-{n}") for n in range(3)
    )

    def holds(*some: Candidate) -> bool:
        return set(engine.loaded) == {loaded_name(made) for made in some}

    for made, held in ((first, [first]), (second, [first, second]), (third, [second, third])):
        await gateway.say(review(made))
        await eventually(lambda held=held: holds(*held))
    await gateway.say(rejected(second, "people preferred the base model"))
    await eventually(lambda: holds(third))


async def test_what_cannot_be_loaded_is_told_only_when_it_was_approved(
    gateway: Gateway, engine: EngineInHand, bus_settings: CommonSettings
) -> None:
    absent = Artifact(uri="memory://absent", sha256="0" * 64, bytes=1)
    bad = candidate("ftjob-bad", adapter=absent, suffix="bad")
    good = candidate("ftjob-good", adapter=adapter(bus_settings, 1), suffix="good")
    await gateway.say(review(bad), review(good))
    await eventually(lambda: engine.loaded == [loaded_name(good)])
    assert await gateway.heard(ModelDeploymentFailed) == []
    await gateway.say(approved(bad))

    async def told() -> bool:
        return [failed.candidate for failed in await gateway.heard(ModelDeploymentFailed)] == [bad]

    await eventually(told)

"""Versions that may soon be approved are preloaded, and callers cannot reach them. The test scripts the engine."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.common.domain.model_names import loaded_name
from shared.cloudevents import EventData
from shared.events import Artifact, Candidate, ModelDeploymentFailed, TrainingFinished
from shared.settings import CommonSettings
from tests.gateway import Gateway, approved, candidate, eventually, rejected, review, running, saved, scored
from tests.scripted_engine import ScriptedEngine, adapter, scripted_engine


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as engine:
        yield engine


@pytest.fixture
async def gateway(bus_settings: CommonSettings, engine: ScriptedEngine) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [engine.url], on_demand=2) as gateway:
        yield gateway


async def names(gateway: Gateway) -> set[str]:
    async with gateway.http("infer") as http:
        return {model["id"] for model in (await http.get("/v1/models")).json()["data"]}


async def test_a_version_under_review_is_loaded_once_and_has_its_name_when_it_is_approved(
    gateway: Gateway, engine: ScriptedEngine, bus_settings: CommonSettings
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


def trained(*some: Candidate, best: Candidate | None = None) -> TrainingFinished:
    steps = tuple(made.step for made in some)
    best_step = best.step if best else None
    return TrainingFinished(job_id=some[0].job_id, status="succeeded", checkpoints=steps, best_step=best_step)


@pytest.mark.parametrize("order", [1, -1])
async def test_when_training_ends_the_best_checkpoint_and_the_last_are_loaded_whatever_is_heard_first(
    gateway: Gateway, engine: ScriptedEngine, bus_settings: CommonSettings, order: int
) -> None:
    made = [candidate("ftjob-trained", step, adapter(bus_settings, step), "trained") for step in (10, 20, 30)]
    best, other, last = made
    said: list[EventData] = [*map(saved, made), scored(best), scored(other), trained(*made, best=best)]
    for event in said[::order]:
        await gateway.say(event)
    await eventually(lambda: set(engine.loaded) == {loaded_name(best), loaded_name(last)})
    await gateway.say(approved(last))
    await eventually(lambda: engine.loaded == [loaded_name(last)])
    assert "trained" in await names(gateway)


async def test_of_a_job_that_is_reviewed_only_that_checkpoint_stays_loaded(
    gateway: Gateway, engine: ScriptedEngine, bus_settings: CommonSettings
) -> None:
    first, last = (candidate("ftjob-chosen", step, adapter(bus_settings, step), "chosen") for step in (10, 20))
    await gateway.say(saved(first), saved(last), trained(first, last, best=first))
    await eventually(lambda: set(engine.loaded) == {loaded_name(first), loaded_name(last)})
    await gateway.say(scored(last), review(first))
    await eventually(lambda: engine.loaded == [loaded_name(first)])


async def test_what_people_turned_down_leaves_the_engine_and_only_the_last_reviews_are_loaded_ahead(
    gateway: Gateway, engine: ScriptedEngine, bus_settings: CommonSettings
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
    gateway: Gateway, engine: ScriptedEngine, bus_settings: CommonSettings
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

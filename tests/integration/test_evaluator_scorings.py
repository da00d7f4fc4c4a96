"""Two evaluators compete for one scoring, in memory and with a real database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.scoring import Scoring
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores
from services.evaluator.scoring.service.scorings import Scorings
from shared.events import Artifact, Score
from shared.lease import Lease, LeaseLost
from shared.settings import CommonSettings
from shared.store import BaseStore, Collection, MemoryStore, Store

NOTHING = Artifact(uri="file:///nowhere", sha256="0" * 64, bytes=0)
BASE = Target(base_model="base", test=NOTHING)


@dataclass
class SlowScorer:
    """A slow scorer that counts its calls."""

    duration_s: float = 0.2
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def score(self, target: Target) -> TargetScores:
        self.asked.append(target.key)
        await asyncio.sleep(self.duration_s)
        if self.error is not None:
            raise self.error
        value = Score(value=len(self.asked) / 10, n=1)
        return TargetScores(scores={"exact_match": value}, answers=NOTHING, duration_s=self.duration_s)


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Collection[Scoring]]:
    database: BaseStore = MemoryStore("evaluator")
    if request.param == "mongo":
        common: CommonSettings = request.getfixturevalue("common")
        database = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    yield database.collection("scorings", Scoring)
    database.close()


async def test_racing_evaluators_score_the_base_once_and_agree(store) -> None:
    scorer = SlowScorer()
    evaluators = [Scorings(store, scorer, lease_s=30) for _ in range(4)]
    found = await asyncio.gather(*(evaluator.obtain(BASE) for evaluator in evaluators))
    assert len(scorer.asked) == 1
    assert all(scored == found[0] for scored in found)
    assert await evaluators[0].obtain(BASE) == found[0]
    assert len(scorer.asked) == 1


async def test_obtain_if_free_returns_none_at_once_if_the_base_is_leased(store) -> None:
    first, second = (Scorings(store, SlowScorer(), lease_s=30) for _ in range(2))
    work = asyncio.create_task(first.obtain(BASE))
    await asyncio.sleep(0.1)
    assert await second.obtain_if_free(BASE) is None
    assert await second.obtain_if_free(BASE) is None
    assert await second.obtain(BASE) == await work


async def test_a_lease_is_renewed_while_the_work_runs(store) -> None:
    slow, other = SlowScorer(duration_s=1.5), SlowScorer()
    work = asyncio.create_task(Scorings(store, slow, lease_s=0.6).obtain(BASE))
    await asyncio.sleep(0.1)
    assert await Scorings(store, other, lease_s=0.6).obtain(BASE) == await work
    assert other.asked == []


async def test_a_dead_evaluators_scoring_is_taken_over_when_its_lease_expires(store) -> None:
    dead = Scoring(id=BASE.key, lease=Lease(holder="dead", expires_at=1000.0))
    await store.create(dead)
    clock = [999.0]
    heir = Scorings(store, SlowScorer(), lease_s=30, now=lambda: clock[0])
    assert await heir.obtain_if_free(BASE) is None
    clock[0] = 1000.0
    assert await heir.obtain_if_free(BASE) is not None


async def test_a_stopped_or_failed_evaluator_releases_its_lease_at_once(store) -> None:
    stopped = asyncio.create_task(Scorings(store, SlowScorer(duration_s=60), lease_s=600).obtain(BASE))
    await asyncio.sleep(0.1)
    stopped.cancel()
    await asyncio.wait({stopped})
    failing = SlowScorer(error=CannotBeScored("adapter_refused", "no"))
    with pytest.raises(CannotBeScored):
        await Scorings(store, failing, lease_s=600).obtain(BASE)
    assert await Scorings(store, SlowScorer(), lease_s=600).obtain_if_free(BASE) is not None


async def test_an_evaluator_that_lost_its_lease_stops(store) -> None:
    asleep = asyncio.create_task(Scorings(store, SlowScorer(duration_s=60), lease_s=0.6).obtain(BASE))
    while await store.get(BASE.key) is None:
        await asyncio.sleep(0.02)
    taken = {"lease": Lease(holder="another", expires_at=10.0**12)}
    await store.change(BASE.key, lambda known: (known.model_copy(update=taken), ()))
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(asleep, 5)

"""A checkpoint beside its base model and production, with a real database and artifact store."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, ModelDeployed, ModelRolledBack, Split, TrainingMetrics
from shared.settings import CommonSettings
from shared.store import Store
from tests.evaluator import evaluations_over

ROWS = 40


def candidate(seed: int, step: int, base_model: str = "base") -> Candidate:
    adapter = Artifact(uri="file:///a", sha256=f"{seed:064x}", bytes=1)
    return Candidate(
        job_id="j", step=step, base_model=base_model, model_name="m", adapter=adapter, lora_rank=4, suffix="mine"
    )


OLD, NEW, BROKEN = candidate(1 << 240, 1), candidate(2 << 240, 2), candidate(3 << 240, 3)


RIGHT = {None: 0, OLD.version: 38, NEW.version: 10}


def knows_some(version: str | None, place: int, item: Item) -> str:
    """Each model knows a number of first answers; one model cannot be scored."""
    if version not in RIGHT:
        raise CannotBeScored("adapter_refused", "no")
    return item.reference if place < RIGHT[version] else "?"


@pytest.fixture
async def evaluations(common: CommonSettings) -> AsyncIterator[Evaluations]:
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    yield evaluations_over(store, Artifacts(common.artifacts), knows_some)
    store.close()


def saved(evaluations: Evaluations, made: Candidate) -> CheckpointSaved:
    files: Any = evaluations.files
    rows = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"answer {n}"}]}
        for n in range(ROWS)
    ]
    test = files.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    split = Split(artifact=test, rows=ROWS)
    return CheckpointSaved(candidate=made, total_steps=9, metrics=TrainingMetrics(step=made.step), test=split)


def deployed(made: Candidate, alias: str | None = "mine") -> ModelDeployed:
    return ModelDeployed(candidate=made, alias=alias, replicas=1, duration_s=0.1)


def rolled_back(to: Candidate, of: Candidate) -> ModelRolledBack:
    return ModelRolledBack(alias="mine", version=to.version, previous_version=of.version, reason="worse")


async def verdicts(evaluations: Evaluations, made: Candidate) -> dict[str, str]:
    await evaluations.evaluate(saved(evaluations, made))
    evaluation = await evaluations.get(made.job_id, made.step)
    assert evaluation is not None
    assert evaluation.done.error is None
    found = [each for each in evaluation.done.comparisons if each.metric == "exact_match"]
    return {each.against: each.verdict for each in found}


async def test_a_checkpoint_can_beat_the_base_and_lose_to_production(evaluations) -> None:
    for _ in range(2):
        await evaluations.deployed(deployed(OLD), datetime.now(UTC))
    assert await verdicts(evaluations, NEW) == {"base": "better", "production": "worse"}
    done = (await evaluations.get("j", 2)).done
    assert (done.production, done.production_scores["exact_match"].value) == (OLD.version, 38 / ROWS)
    exact = next(each for each in done.comparisons if (each.metric, each.against) == ("exact_match", "production"))
    assert (exact.gained, exact.lost, exact.n, exact.test) == (0, 28, ROWS, "mcnemar")


async def test_production_is_not_compared_with_itself_or_across_base_models(evaluations) -> None:
    await evaluations.deployed(deployed(OLD, alias=None), datetime.now(UTC))
    assert await evaluations.production.get("mine") is None
    await evaluations.deployed(deployed(OLD), datetime.now(UTC))
    assert await verdicts(evaluations, OLD) == {"base": "better"}
    await evaluations.deployed(deployed(candidate(4 << 240, 4, "another base")), datetime.now(UTC))
    assert await verdicts(evaluations, NEW) == {"base": "better"}


async def test_after_a_rollback_the_earlier_version_is_production(evaluations) -> None:
    for fact in (deployed(OLD), deployed(BROKEN)):
        await evaluations.deployed(fact, datetime.now(UTC))
    await evaluations.rolled_back(rolled_back(OLD, BROKEN), datetime.now(UTC))
    assert await verdicts(evaluations, NEW) == {"base": "better", "production": "worse"}


async def test_a_checkpoint_keeps_its_scores_when_production_cannot_be_scored(evaluations) -> None:
    await evaluations.deployed(deployed(BROKEN), datetime.now(UTC))
    assert await verdicts(evaluations, NEW) == {"base": "better"}

"""Evaluations and scorings in MongoDB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.evaluator.domain.agreement import Judged
from services.evaluator.domain.lease import Scoring
from services.evaluator.domain.production import Production
from services.evaluator.domain.tasks import Suite
from services.evaluator.ports import AgreementRecord, Evaluation, ProductionRecord, Progress, ScoringRecord, SuiteRecord
from shared.cloudevents import EventData
from shared.store import Collection, Decision


@dataclass(frozen=True)
class MongoEvaluationStore:
    """One document an evaluation, keyed by job and step."""

    evaluations: Collection[Evaluation]

    async def get(self, entity_id: str) -> Evaluation | None:
        return await self.evaluations.get(entity_id)

    async def create(self, entity: Evaluation, events: Sequence[EventData] = ()) -> bool:
        return await self.evaluations.create(entity, events)

    async def of_job(self, job_id: str) -> list[Evaluation]:
        return await self.evaluations.find(job_id=job_id)


@dataclass(frozen=True)
class MongoScoringStore:
    """One document a scoring, keyed by its target."""

    scorings: Collection[ScoringRecord]

    async def create(self, key: str, scoring: Scoring) -> bool:
        return await self.scorings.create(ScoringRecord(id=key, scoring=scoring))

    async def change(self, key: str, decide: Callable[[Scoring], Scoring | None]) -> Scoring | None:
        def apply(record: ScoringRecord) -> Decision[ScoringRecord] | None:
            changed = decide(record.scoring)
            return None if changed is None else (record.model_copy(update={"scoring": changed}), ())

        record = await self.scorings.change(key, apply)
        return record.scoring if record else None


@dataclass(frozen=True)
class MongoProgressStore:
    """One document an evaluation that goes on, or did."""

    progress: Collection[Progress]

    async def get(self, entity_id: str) -> Progress | None:
        return await self.progress.get(entity_id)

    async def put(self, progress: Progress) -> None:
        if not await self.progress.create(progress):
            await self.progress.change(progress.id, lambda known: None if known == progress else (progress, ()))


@dataclass(frozen=True)
class MongoProductionStore:
    """One document an alias."""

    aliases: Collection[ProductionRecord]

    async def get(self, alias: str) -> Production | None:
        record = await self.aliases.get(alias)
        return record.production if record else None

    async def create(self, alias: str, production: Production) -> bool:
        return await self.aliases.create(ProductionRecord(id=alias, production=production))

    async def change(self, alias: str, decide: Callable[[Production], Production | None]) -> None:
        def apply(record: ProductionRecord) -> Decision[ProductionRecord] | None:
            changed = decide(record.production)
            return None if changed is None else (record.model_copy(update={"production": changed}), ())

        await self.aliases.change(alias, apply)


@dataclass(frozen=True)
class MongoAgreementStore:
    """One document a review."""

    reviews: Collection[AgreementRecord]

    async def get(self, entity_id: str) -> Judged | None:
        record = await self.reviews.get(entity_id)
        return record.judged if record else None

    async def create(self, entity_id: str, judged: Judged) -> bool:
        return await self.reviews.create(AgreementRecord(id=entity_id, judged=judged))

    async def all(self, judge: str) -> dict[str, Judged]:
        return {record.id: record.judged for record in await self.reviews.find(judged__judge=judge)}


@dataclass(frozen=True)
class MongoSuiteStore:
    """One document a suite that people put."""

    suites: Collection[SuiteRecord]

    async def get(self, name: str) -> Suite | None:
        record = await self.suites.get(name)
        return record.suite if record else None

    async def names(self) -> list[str]:
        return [record.id for record in await self.suites.find()]

    async def append(self, name: str, revise: Callable[[Suite | None], Suite | None]) -> Suite:
        first = revise(None)
        assert first is not None, "a suite that is not there yet is new"
        if await self.suites.create(SuiteRecord(id=name, suite=first)):
            return first

        def apply(record: SuiteRecord) -> Decision[SuiteRecord] | None:
            changed = revise(record.suite)
            return None if changed is None else (record.model_copy(update={"suite": changed}), ())

        record = await self.suites.change(name, apply)
        assert record is not None, "a suite is never deleted"
        return record.suite

"""Evaluations, their progress, and what is in production, in MongoDB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.evaluator.evaluation.domain.production import Production
from services.evaluator.evaluation.ports import Evaluation, ProductionRecord, Progress
from shared.cloudevents import EventData
from shared.store import Collection, Decision


@dataclass(frozen=True)
class MongoEvaluationStore:
    """One document per evaluation; its id is `<job>/<step>`."""

    evaluations: Collection[Evaluation]

    async def get(self, entity_id: str) -> Evaluation | None:
        return await self.evaluations.get(entity_id)

    async def create(self, entity: Evaluation, events: Sequence[EventData] = ()) -> bool:
        return await self.evaluations.create(entity, events)

    async def of_job(self, job_id: str) -> list[Evaluation]:
        return await self.evaluations.find(job_id=job_id)


@dataclass(frozen=True)
class MongoProgressStore:
    """One document per evaluation that is running or done."""

    progress: Collection[Progress]

    async def get(self, entity_id: str) -> Progress | None:
        return await self.progress.get(entity_id)

    async def put(self, progress: Progress) -> None:
        if not await self.progress.create(progress):
            await self.progress.change(progress.id, lambda known: None if known == progress else (progress, ()))


@dataclass(frozen=True)
class MongoProductionStore:
    """One document per alias."""

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

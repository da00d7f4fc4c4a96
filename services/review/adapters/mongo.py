"""Runs, reviews and policies in MongoDB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.review.domain.policy import Policy
from services.review.domain.run import Run
from services.review.ports import PolicyRecord, ReviewDecision, ReviewRecord, RunDecision, RunRecord
from shared.cloudevents import EventData
from shared.store import Collection, Decision


@dataclass(frozen=True)
class MongoRunStore:
    """One document a run, keyed by the job's id."""

    runs: Collection[RunRecord]

    async def get(self, job_id: str) -> Run | None:
        record = await self.runs.get(job_id)
        return record.run if record else None

    async def change(self, job_id: str, decide: RunDecision) -> Run:
        def apply(record: RunRecord) -> Decision[RunRecord] | None:
            decision = decide(record.run)
            return None if decision is None else (record.model_copy(update={"run": decision[0]}), decision[1])

        record = await self.runs.change(job_id, apply)
        if record is None:
            await self.runs.create(RunRecord(id=job_id, run=Run(job_id=job_id)))
            record = await self.runs.change(job_id, apply)
        assert record is not None
        return record.run


@dataclass(frozen=True)
class MongoReviewStore:
    """One document a review, scores and all."""

    reviews: Collection[ReviewRecord]

    async def get(self, review_id: str) -> ReviewRecord | None:
        return await self.reviews.get(review_id)

    async def create(self, entity: ReviewRecord, events: Sequence[EventData] = ()) -> bool:
        return await self.reviews.create(entity, events)

    async def change(self, review_id: str, decide: ReviewDecision) -> ReviewRecord | None:
        def apply(record: ReviewRecord) -> Decision[ReviewRecord] | None:
            decision = decide(record.review)
            return None if decision is None else (record.model_copy(update={"review": decision[0]}), decision[1])

        return await self.reviews.change(review_id, apply)

    async def newest(self, status: str | None, limit: int) -> list[ReviewRecord]:
        where = {"review__status": status} if status else {}
        return await self.reviews.find(**where, newest_first="opened_at", limit=limit)


@dataclass(frozen=True)
class MongoPolicyStore:
    """One document a policy, keyed by its name."""

    policies: Collection[PolicyRecord]

    async def get(self, name: str) -> Policy | None:
        record = await self.policies.get(name)
        return record.versions[-1] if record else None

    async def names(self) -> list[str]:
        return [record.id for record in await self.policies.find()]

    async def append(self, name: str, revise: Callable[[Policy | None], Policy | None]) -> Policy:
        def apply(record: PolicyRecord) -> Decision[PolicyRecord] | None:
            new = revise(record.versions[-1])
            return None if new is None else (record.model_copy(update={"versions": (*record.versions, new)}), ())

        while True:
            if (record := await self.policies.change(name, apply)) is not None:
                return record.versions[-1]
            first = revise(None)
            assert first is not None
            await self.policies.create(PolicyRecord(id=name, versions=(first,)))

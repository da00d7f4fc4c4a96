"""Reviews as people and the judge rated them, in MongoDB."""

from dataclasses import dataclass

from services.evaluator.judging.domain.agreement import ReviewRatings
from services.evaluator.judging.ports import AgreementRecord
from shared.store import Collection


@dataclass(frozen=True)
class MongoAgreementStore:
    """One document per review."""

    reviews: Collection[AgreementRecord]

    async def get(self, entity_id: str) -> ReviewRatings | None:
        record = await self.reviews.get(entity_id)
        return record.judged if record else None

    async def create(self, entity_id: str, judged: ReviewRatings) -> bool:
        return await self.reviews.create(AgreementRecord(id=entity_id, judged=judged))

    async def all(self, judge: str) -> dict[str, ReviewRatings]:
        return {record.id: record.judged for record in await self.reviews.find(judged__judge=judge)}

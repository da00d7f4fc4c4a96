"""Scorings in MongoDB."""

from collections.abc import Callable
from dataclasses import dataclass

from services.evaluator.scoring.domain.lease import Scoring
from services.evaluator.scoring.ports import ScoringRecord
from shared.store import Collection, Decision


@dataclass(frozen=True)
class MongoScoringStore:
    """One document per scoring; its id is the target's key."""

    scorings: Collection[ScoringRecord]

    async def create(self, key: str, scoring: Scoring) -> bool:
        return await self.scorings.create(ScoringRecord(id=key, scoring=scoring))

    async def change(self, key: str, decide: Callable[[Scoring], Scoring | None]) -> Scoring | None:
        def apply(record: ScoringRecord) -> Decision[ScoringRecord] | None:
            changed = decide(record.scoring)
            return None if changed is None else (record.model_copy(update={"scoring": changed}), ())

        record = await self.scorings.change(key, apply)
        return record.scoring if record else None

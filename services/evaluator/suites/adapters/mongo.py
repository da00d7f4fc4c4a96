"""Suites in MongoDB."""

from collections.abc import Callable
from dataclasses import dataclass

from services.evaluator.suites.domain.suite import Suite
from services.evaluator.suites.ports import SuiteRecord
from shared.store import Collection, Decision


@dataclass(frozen=True)
class MongoSuiteStore:
    """One document per suite."""

    suites: Collection[SuiteRecord]

    async def get(self, name: str) -> Suite | None:
        record = await self.suites.get(name)
        return record.suite if record else None

    async def names(self) -> list[str]:
        return [record.id for record in await self.suites.find()]

    async def append(self, name: str, revise: Callable[[Suite | None], Suite | None]) -> Suite:
        first = revise(None)
        assert first is not None, "the first revision is always a change"
        if await self.suites.create(SuiteRecord(id=name, suite=first)):
            return first

        def apply(record: SuiteRecord) -> Decision[SuiteRecord] | None:
            changed = revise(record.suite)
            return None if changed is None else (record.model_copy(update={"suite": changed}), ())

        record = await self.suites.change(name, apply)
        assert record is not None, "suites are not deleted"
        return record.suite

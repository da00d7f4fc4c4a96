"""Keeps the questions of all suites, from the facts of their owner."""

import asyncio
import json
from dataclasses import dataclass

from services.ingest.domain.suite import Suite, compared
from services.ingest.ports import StoredFiles
from services.ingest.suites.questions import SuiteContentError, questions_of, write
from shared import telemetry
from shared.artifacts import ArtifactError
from shared.events import SuiteDeleted, SuitePublished
from shared.store import Collection, Decision

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Suites:
    """The use cases over suites."""

    suites: Collection[Suite]
    files: StoredFiles

    async def published(self, event: SuitePublished) -> None:
        """Keep the questions of a suite's newest revision."""
        suite = await asyncio.to_thread(self._read, event)

        def decide(known: Suite) -> Decision[Suite] | None:
            return (suite, ()) if known.number < suite.number else None

        await self.suites.upsert(Suite(id=event.name, number=-1), decide)

    async def deleted(self, event: SuiteDeleted) -> None:
        """Compare no more rows with a suite; a later revision brings it back."""

        def decide(known: Suite) -> Decision[Suite] | None:
            if known.number > event.revision or known.deleted:
                return None
            return known.model_copy(update={"number": event.revision, "deleted": True}), ()

        await self.suites.upsert(Suite(id=event.name, number=-1), decide)

    async def compared_with(self, owner: str) -> list[Suite]:
        """The suites that the rows of this owner are compared with."""
        return compared(await self.suites.find(deleted=False), owner)

    def _read(self, event: SuitePublished) -> Suite:
        suite = Suite(id=event.name, number=event.revision, owner=event.owner)
        try:
            content = json.loads(self.files.read(event.content))
            readers = tuple(map(str, content.get("readers") or ()))
            questions = list(questions_of(content, self.files))
        except (ArtifactError, SuiteContentError, ValueError, AttributeError) as error:
            _log.warning("the questions of a suite cannot be read", suite=event.name, error=str(error))
            return suite
        stored = self.files.put_bytes(write(iter(questions))) if questions else None
        return suite.model_copy(update={"readers": readers, "questions": stored, "count": len(questions)})

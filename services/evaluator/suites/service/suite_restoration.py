"""Rebuilds suites from the evaluator's own facts."""

import asyncio
from dataclasses import dataclass

from services.evaluator.scoring.ports import Files
from services.evaluator.suites.domain.suite import FolderSuite, Suite, SuiteContent
from shared.events import SuiteDeleted, SuitePublished
from shared.store import Collection, Decision


@dataclass(frozen=True)
class SuiteRestoration:
    """One method for each fact; in an intact database each changes nothing."""

    store: Collection[Suite]
    published_folders: Collection[FolderSuite]
    files: Files

    async def published(self, event: SuitePublished) -> None:
        """One of a folder of the server has no owner; its content is still in the folder."""
        if not event.owner:
            await self._folder_published(event)
            return
        content = SuiteContent.model_validate_json(await asyncio.to_thread(self.files.read, event.content))
        empty = Suite(name=event.name, owner=event.owner, number=event.revision - 1, **content.__dict__)
        first = empty.revised(content, event.content, event.author, event.at)

        def revise(known: Suite) -> Decision[Suite] | None:
            if event.revision <= known.revision:
                return None
            before = known.model_copy(update={"number": event.revision - 1})
            return before.revised(content, event.content, event.author, event.at), ()

        if not await self.store.create(first):
            await self.store.change(event.name, revise)

    async def deleted(self, event: SuiteDeleted) -> None:
        def hide(known: Suite) -> Decision[Suite] | None:
            if known.revision < event.revision:
                raise LookupError(f"revision {event.revision} of the suite {known.name} is not restored yet")
            if known.revision > event.revision or known.deleted:
                return None
            return known.model_copy(update={"deleted": True}), ()

        if await self.store.change(event.name, hide) is None:
            raise LookupError(f"the suite {event.name} is not restored yet")

    async def _folder_published(self, event: SuitePublished) -> None:
        def revise(known: FolderSuite) -> Decision[FolderSuite] | None:
            if event.revision <= known.number:
                return None
            return known.model_copy(update={"number": event.revision, "sha256": event.content.sha256}), ()

        await self.published_folders.upsert(FolderSuite(id=event.name), revise)

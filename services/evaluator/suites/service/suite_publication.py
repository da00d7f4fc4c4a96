"""Publishes the suites of the server's folders, so that other services can read their questions."""

import asyncio

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.domain.suite import FolderSuite, Suite
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_plan import Planner
from shared.events import SuitePublished
from shared.store import Decision


async def publish_folder_suites(catalog: SuiteCatalog) -> None:
    """Publish the suites that are new or changed."""
    for name in await asyncio.to_thread(catalog.folders.names):
        try:
            suite = await asyncio.to_thread(catalog.folders.get, name)
        except CannotBeScored:
            continue
        assert suite is not None, "the folder has a file of that name"
        await _publish(catalog, suite)


async def _publish(catalog: SuiteCatalog, suite: Suite) -> None:
    planner = Planner(catalog.folders, catalog.files, catalog.task_check)
    portable = await asyncio.to_thread(planner.portable, suite)
    content = await asyncio.to_thread(catalog.files.put_bytes, portable.model_dump_json().encode())

    def decide(known: FolderSuite) -> Decision[FolderSuite] | None:
        if content.sha256 == known.sha256:
            return None
        event = SuitePublished(name=known.id, revision=known.number + 1, content=content, at=catalog.now())
        return known.model_copy(update={"number": event.revision, "sha256": content.sha256}), [event]

    await catalog.published.upsert(FolderSuite(id=suite.name), decide)

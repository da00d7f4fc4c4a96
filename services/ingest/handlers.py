"""The events that ingest handles."""

from services.ingest.service.datasets import Datasets
from services.ingest.service.pools import Pools
from services.ingest.service.renderings import Renderings
from services.ingest.service.restoration import Restoration
from services.ingest.service.suites import Suites
from shared.bus import Bus
from shared.events import (
    DatasetReady,
    DatasetRejected,
    DatasetUploaded,
    FileDeleted,
    PoolChanged,
    SuiteDeleted,
    SuitePublished,
    TemplatePublished,
    TrainingRequested,
)


def subscribe(
    bus: Bus, datasets: Datasets, suites: Suites, pools: Pools, renderings: Renderings, restoration: Restoration
) -> None:
    """Use cases by event; the last ones are for facts of ingest itself, from which its lost database is rebuilt."""

    async def uploaded(event: DatasetUploaded) -> None:
        if not await restoration.without_content(event):
            await datasets.check(event)
            await restoration.keep_outcome(event)
        await renderings.file_checked(event.file_id)

    async def deleted(event: FileDeleted) -> None:
        await datasets.file_deleted(event)
        await renderings.file_deleted(event.file_id)

    bus.subscribe(DatasetUploaded, uploaded)
    bus.subscribe(FileDeleted, deleted)
    bus.subscribe(TrainingRequested, renderings.requested)
    bus.subscribe(SuitePublished, suites.published)
    bus.subscribe(SuiteDeleted, suites.deleted)
    bus.subscribe(PoolChanged, pools.changed)
    bus.restore(TemplatePublished, restoration.template_published)
    bus.restore(DatasetReady, restoration.ready)
    bus.restore(DatasetRejected, restoration.rejected)

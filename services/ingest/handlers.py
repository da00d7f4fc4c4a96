"""The events that ingest handles."""

from services.ingest.service.datasets import Datasets
from services.ingest.service.pools import Pools
from services.ingest.service.renderings import Renderings
from services.ingest.service.suites import Suites
from shared.bus import Bus
from shared.events import DatasetUploaded, FileDeleted, PoolChanged, SuiteDeleted, SuitePublished, TrainingRequested


def subscribe(bus: Bus, datasets: Datasets, suites: Suites, pools: Pools, renderings: Renderings) -> None:
    """Use cases by event."""

    async def uploaded(event: DatasetUploaded) -> None:
        await datasets.check(event)
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

"""Puts ingest together."""

from litestar import Litestar

from services.ingest import api, handlers
from services.ingest.adapters.mongo import MongoDatasetStore
from services.ingest.config import Settings
from services.ingest.ports import Dataset
from services.ingest.service import Datasets
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.store import Store


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}ingest", "ingest")
    bus = Bus(common.nats_url, "ingest", store)
    artifacts = Artifacts(common.artifacts)
    datasets = Datasets(MongoDatasetStore(store.collection("datasets", Dataset)), artifacts)
    handlers.subscribe(bus, datasets)
    return web.build(
        "ingest",
        settings,
        [api.routes],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready},
        lifespan=[web.connections(store, bus)],
        dependencies={"datasets": datasets},
    )

"""Puts the trainer together."""

import psutil
from litestar import Litestar

from services.trainer import api, handlers
from services.trainer.adapters.archive import FileArchive
from services.trainer.adapters.base_models import NamedBaseModels
from services.trainer.adapters.gauges import PrometheusFigures
from services.trainer.adapters.mongo import DatasetDocument, MongoRunStore, PointDocument, RunDocument
from services.trainer.adapters.processes import ChildProcesses
from services.trainer.config import Settings
from services.trainer.service.admission import Admission
from services.trainer.service.hold import Line
from services.trainer.service.runs import Runs
from services.trainer.service.supervision import Supervision
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.store import Store


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}trainer", "trainer")
    bus = Bus(common.nats_url, "trainer", store)
    run_store = MongoRunStore(
        store.collection("runs", RunDocument),
        store.collection("datasets", DatasetDocument),
        store.collection("points", PointDocument),
    )
    archive = FileArchive(common.artifacts)
    base_models = NamedBaseModels(settings.base_models)
    how = settings.model_dump(include={"precision", "niceness", "threads", "processes", "sharded"})
    processes = ChildProcesses(common.artifacts, settings.work_dir, how, settings.keep_ready)
    memory_bytes = int(settings.memory_gib * 2**30) or psutil.virtual_memory().total
    admission = Admission(run_store, archive, base_models, settings.organization, memory_bytes)
    runs = Runs(run_store, archive, admission)
    line = Line(run_store, archive)
    supervision = Supervision(line, base_models, processes, PrometheusFigures(), settings.organization)
    handlers.subscribe(bus, runs, supervision)
    return web.build(
        "trainer",
        settings,
        [api.routes],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": Artifacts(common.artifacts).ready},
        lifespan=[processes.lifespan, web.connections(store, bus)],
        dependencies={"runs": runs},
    )

"""Composition root of the trainer."""

import platform

import psutil
from litestar import Litestar

from services.trainer import api, handlers
from services.trainer.adapters.base_models import NamedBaseModels
from services.trainer.adapters.run_archive import FileRunArchive
from services.trainer.adapters.worker_processes import WorkerProcesses
from services.trainer.config import Settings
from services.trainer.pages import PAGES
from services.trainer.pages import routes as pages
from services.trainer.pages.run_stream import DrawnRuns
from services.trainer.service.admission import Admission
from services.trainer.service.curve_cache import CurveCache
from services.trainer.service.job_options import JobOptions
from services.trainer.service.job_preview import JobPreview
from services.trainer.service.live_runs import LiveRuns
from services.trainer.service.run_control import RunControl
from services.trainer.service.run_metrics import RunMetrics
from services.trainer.service.run_queue import RunQueue
from services.trainer.service.run_store import RunStore
from services.trainer.service.training_supervisor import TrainingSupervisor
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.pages import error_pages
from shared.retention import Retention
from shared.store import Store


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything."""
    common = settings.common
    database = Store(common.mongo_url, f"{common.database_prefix}trainer", "trainer")
    bus = Bus(common.nats_url, "trainer", database)
    store = RunStore.of(database)
    archive = FileRunArchive(common.artifacts)
    artifacts = Artifacts(common.artifacts, create=False)
    base_models = NamedBaseModels(settings.base_models)
    options = settings.model_dump(include={"precision", "niceness", "threads", "processes", "sharded"})
    workers = WorkerProcesses(common.artifacts, settings.work_dir, options, settings.keep_ready)
    memory_bytes = int(settings.memory_gib * 2**30) or psutil.virtual_memory().total
    admission = Admission(
        store=store,
        archive=archive,
        base_models=base_models,
        organization=settings.organization,
        memory_bytes=memory_bytes,
    )
    control = RunControl(store=store, archive=archive, admission=admission)
    supervisor = TrainingSupervisor(
        queue=RunQueue(store=store, archive=archive),
        base_models=base_models,
        workers=workers,
        metrics=RunMetrics(),
        shutdown_grace_s=settings.shutdown_grace_s,
    )
    options = JobOptions(store)
    handlers.subscribe(bus, control, options, supervisor)
    retentions = [Retention(store.points, settings.point_days)]
    connections = web.connections(database, bus, inbox_days=common.inbox_days, retentions=retentions)
    return web.build(
        "trainer",
        settings,
        [api.routes, pages.routes],
        checks={"mongo": database.check, "nats": bus.check, "artifacts": artifacts.ready},
        # Left in reverse order: the supervisor needs the bus and the store to release its runs.
        lifespan=[workers.lifespan, connections, supervisor.lifespan],
        audited=database,
        dependencies={
            "store": store,
            "curves": CurveCache(store),
            "live_runs": LiveRuns(store),
            "drawn_runs": DrawnRuns(),
            "options": options,
            "previews": JobPreview(store=store, admission=admission, machine=platform.node()),
            "base_models": tuple(settings.base_models),
        },
        page_errors=error_pages(PAGES),
    )

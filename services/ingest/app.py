"""Puts ingest together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Litestar

from services.ingest import api, handlers
from services.ingest.adapters.worker_process import WorkerProcess
from services.ingest.config import Settings
from services.ingest.domain.dataset import Dataset
from services.ingest.domain.deleted_file import DeletedFile
from services.ingest.domain.outcome import Outcome
from services.ingest.domain.pool import Pool
from services.ingest.domain.rendering import Rendering
from services.ingest.domain.series_number import SeriesNumber
from services.ingest.domain.suite import Suite
from services.ingest.domain.template_version import TemplateVersion
from services.ingest.domain.unsaved_result import UnsavedResult
from services.ingest.domain.used_file import UsedFile
from services.ingest.pages import PAGES
from services.ingest.pages.routes import routes as pages
from services.ingest.service.artifact_cleanup import (
    ARTIFACTS_OF_DATASETS,
    ARTIFACTS_OF_RENDERINGS,
    ArtifactCleanup,
)
from services.ingest.service.datasets import Datasets
from services.ingest.service.findings import Findings
from services.ingest.service.pools import Pools
from services.ingest.service.renderings import Renderings
from services.ingest.service.restoration import Restoration
from services.ingest.service.rows import Rows
from services.ingest.service.series import Series
from services.ingest.service.suites import Suites
from services.ingest.service.templates import Templates
from services.ingest.service.unsaved_results import UnsavedResults
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.pages import error_pages
from shared.store import Store

TEMPLATE_INDEXES = (("owner", "name", "version"), ("owner", "created_at"), ("owner", "version", "created_at"))
DATASET_INDEXES = (
    "upload.created_at",
    *((name, "upload.created_at") for name in ("upload.owner", "upload.dataset", "status")),
    ("upload.owner", "ready.template.name", "upload.created_at"),
    ("upload.owner", "upload.dataset", "status", "number"),
    *(f"{field}.sha256" for field in ARTIFACTS_OF_DATASETS),
)
RENDERING_INDEXES = ("file_id", *(f"{field}.sha256" for field in ARTIFACTS_OF_RENDERINGS))


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}ingest", "ingest")
    bus = Bus(common.nats_url, "ingest", store)
    artifacts = Artifacts(common.artifacts, create=False)
    worker = WorkerProcess(settings)
    templates = Templates(store.collection("templates", TemplateVersion, indexes=TEMPLATE_INDEXES))
    kept = store.collection("datasets", Dataset, indexes=DATASET_INDEXES)
    suites = Suites(store.collection("suites", Suite, few=True), artifacts)
    pools = Pools(store.collection("pools", Pool, few=True))
    rendered = store.collection("renderings", Rendering, indexes=RENDERING_INDEXES)
    used = store.collection("used_files", UsedFile, indexes=[])
    unsaved = UnsavedResults(store.collection("unsaved_results", UnsavedResult, few=True), artifacts)
    cleanup = ArtifactCleanup(datasets=kept, renderings=rendered, used=used, unsaved=unsaved, files=artifacts)
    datasets = Datasets(
        datasets=kept,
        series=Series(kept, store.collection("series_numbers", SeriesNumber, indexes=[])),
        templates=templates,
        suites=suites,
        pools=pools,
        preparer=worker,
        cleanup=cleanup,
        deleted_files=store.collection("deleted_files", DeletedFile, indexes=[]),
        unsaved=unsaved,
    )
    renderings = Renderings(
        renderings=rendered, datasets=kept, templates=templates, renderer=worker, used=used, unsaved=unsaved
    )
    outcomes = store.collection("outcomes", Outcome, indexes=[])
    restoration = Restoration(templates.versions, kept, outcomes, datasets.deleted_files, artifacts)
    handlers.subscribe(bus, datasets, suites, pools, renderings, restoration)
    return web.build(
        "ingest",
        settings,
        [*api.routes, pages],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready},
        lifespan=[_working(worker), web.connections(store, bus, inbox_days=common.inbox_days)],
        audited=store,
        dependencies={
            "datasets": datasets,
            "templates": templates,
            "rows": Rows(artifacts, common.cache_dir),
            "findings": Findings(artifacts),
            "artifacts": artifacts,
        },
        exception_handlers=api.PROBLEMS,
        page_errors=error_pages(PAGES),
    )


def _working(worker: WorkerProcess) -> web.Lifespan:
    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        worker.clean()
        await worker.warm()
        try:
            yield
        finally:
            await worker.close()

    return run

"""Ingest and the gateway's files over stores in memory: events go from one to the other as they are saved."""

import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from litestar import Litestar

from services.gateway.common.api import error_responses
from services.gateway.common.app import Resources
from services.gateway.config import Settings as GatewaySettings
from services.gateway.events.api import events as events_api
from services.gateway.events.domain.posted_event import PostedEvent
from services.gateway.events.service.publisher import EventPublisher
from services.gateway.fine_tuning.api import files as files_api
from services.gateway.fine_tuning.app import fine_tuning
from services.ingest import api, worker
from services.ingest.domain.dataset import Dataset
from services.ingest.domain.deleted_file import DeletedFile
from services.ingest.domain.pool import Pool
from services.ingest.domain.rendering import Rendering
from services.ingest.domain.series_number import SeriesNumber
from services.ingest.domain.suite import Suite
from services.ingest.domain.template_version import TemplateVersion
from services.ingest.domain.unsaved_result import UnsavedResult
from services.ingest.domain.used_file import UsedFile
from services.ingest.pages.routes import routes
from services.ingest.ports import PreparationRequest, PreparationResult
from services.ingest.service.artifact_cleanup import ArtifactCleanup
from services.ingest.service.datasets import Datasets
from services.ingest.service.findings import Findings
from services.ingest.service.pools import Pools
from services.ingest.service.rows import Rows
from services.ingest.service.series import Series
from services.ingest.service.suites import Suites
from services.ingest.service.templates import Templates
from services.ingest.service.unsaved_results import UnsavedResults
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.events import DatasetReady, DatasetRejected, DatasetUploaded, PoolChanged, UploadOptions
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.browser.in_process_bus import InProcessBus
from tests.browser.site import Site, at_once, in_another_loop, serving
from tests.quotas import every_event

BASE = "smollm2-135m-instruct"
"""The base model that lengths are measured for; its tokenizer is not there."""


@dataclass(frozen=True)
class InProcess:
    """Checks files like the worker, without a process for each."""

    artifacts: Artifacts

    async def prepare(self, request: PreparationRequest) -> PreparationResult:
        with tempfile.TemporaryDirectory() as scratch:
            settings = {"base_models": {BASE: ""}, "limits": {}}
            return worker.check(request, self.artifacts, Path(scratch), settings)


class DataPages:
    """The use cases of both services, and what fills them."""

    def __init__(self, folder: Path, base_models: tuple[str, ...] = (), bus: InProcessBus | None = None) -> None:
        common = CommonSettings(artifacts=str(folder / "artifacts"), keys_file=folder / "gateway-keys.json")
        self.artifacts = Artifacts(common.artifacts)
        self.store, self.gateway_store = MemoryStore("ingest"), MemoryStore("gateway")
        self.templates = Templates(self.store.collection("templates", TemplateVersion))
        suites = Suites(self.store.collection("suites", Suite), self.artifacts)
        pools = Pools(self.store.collection("pools", Pool))
        datasets = self.store.collection("datasets", Dataset)
        unsaved = UnsavedResults(self.store.collection("unsaved_results", UnsavedResult), self.artifacts)
        cleanup = ArtifactCleanup(
            datasets,
            self.store.collection("renderings", Rendering),
            self.store.collection("used_files", UsedFile),
            unsaved,
            self.artifacts,
        )
        deleted = self.store.collection("deleted_files", DeletedFile)
        preparer = InProcess(self.artifacts)
        series = Series(datasets, self.store.collection("series_numbers", SeriesNumber))
        self.datasets = Datasets(
            datasets=datasets,
            series=series,
            templates=self.templates,
            suites=suites,
            pools=pools,
            preparer=preparer,
            cleanup=cleanup,
            deleted_files=deleted,
            unsaved=unsaved,
        )
        resources = Resources(
            settings=GatewaySettings(common=common),
            store=cast(Any, self.gateway_store),
            bus=cast(Bus, None),
            keyring=Keyring(common.keys_file),
            artifacts=self.artifacts,
            instance="test",
        )
        self.part = fine_tuning(resources, base_models=base_models)
        self.bus = bus or InProcessBus()
        if bus is None:
            self._subscribe()
        self.rows = Rows(self.artifacts, folder / "cache")

    def _subscribe(self) -> None:
        cases = self.part.file_use_cases
        self.bus.subscribe(DatasetUploaded, cases.uploaded)
        self.bus.subscribe(DatasetUploaded, self.datasets.check)
        self.bus.subscribe(DatasetReady, cases.ready)
        self.bus.subscribe(DatasetRejected, cases.rejected)

    def use_cases(self) -> dict[str, Any]:
        publisher = EventPublisher(
            stream=cast(Any, self.bus),
            files=self.part.files,
            jobs=self.part.jobs,
            aliases=self.part.aliases,
            artifacts=self.part.artifacts,
            posted=self.gateway_store.collection("posted_events", PostedEvent),
            may_call=cast(Any, None),
            admit=every_event,
            holdings=self.part.holdings,
        )
        return {
            **self.part.part.dependencies,
            "publisher": publisher,
            "subscriptions": None,
            "datasets": self.datasets,
            "templates": self.templates,
            "rows": self.rows,
            "findings": Findings(self.artifacts),
            "artifacts": self.artifacts,
        }

    def check(self, file_id: str, content: bytes, filename: str = "rows.jsonl", **said: Any) -> Dataset:
        """A dataset of this content, as if it had been uploaded; `owner` is the administrator's test key or given."""
        event = DatasetUploaded(
            file_id=file_id,
            filename=filename,
            artifact=self.artifacts.put_bytes(content),
            options=said.pop("options", UploadOptions()),
            **said,
        )
        in_another_loop(self.datasets.check(event))
        found = at_once(self.datasets.get(file_id))
        assert found is not None
        return found

    def engine_takes(self, context: int) -> None:
        """The engine of the base model says how many tokens it takes."""
        changed = PoolChanged(
            pool="pool", base_model=BASE, mode="adapters", replicas=(), context_length=context, at=context
        )
        at_once(self.datasets.pools.changed(changed))

    @asynccontextmanager
    async def relaying(self, _app: Litestar) -> AsyncGenerator[None]:
        async with self.bus.relaying([self.gateway_store, self.store]):
            yield


@contextmanager
def data_site(data: DataPages, folder: Path, *, relayed: bool = True) -> Generator[Site]:
    """The pages, ingest's API, and the gateway's files and events at one origin, as behind the gateway."""
    handlers = {**error_responses.HANDLERS, **api.PROBLEMS}
    shown = [routes, *api.routes, files_api.routes, events_api.routes]
    with serving(
        shown,
        folder,
        lambda _keyring, _store: data.use_cases(),
        lifespan=[data.relaying] if relayed else [],
        exception_handlers=handlers,
        request_max_body_size=2**24,
    ) as site:
        yield site

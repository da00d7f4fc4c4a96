"""All services in one process at one origin, over stores in memory: what one publishes reaches the others at once.

Training and models are scripted; a version is loaded as soon as it is approved. All else is the services' own.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from litestar import Litestar

from services.evaluator.pages.routes import routes as evaluator_routes
from services.evaluator.scoring.domain.item import Item
from services.gateway.common.api import error_responses
from services.gateway.console.pages.routes import ROUTES
from services.gateway.console.service.overview import Overviews
from services.gateway.events.api import events as events_api
from services.gateway.fine_tuning.api import files as files_api
from services.gateway.fine_tuning.api import jobs as jobs_api
from services.gateway.fine_tuning.service.ranking_metrics import RankingMetrics
from services.gateway.serving.domain.deployment import loaded_name
from services.gateway.serving.handlers import subscribe as subscribe_gateway
from services.gateway.serving.service.deployments import Deployments
from services.ingest import api as ingest_api
from services.ingest.pages.routes import routes as ingest_routes
from services.review.handlers import subscribe as subscribe_review
from services.review.policies.shipped import shipped_policies
from services.trainer.handlers import subscribe as subscribe_trainer
from services.trainer.pages.routes import routes as trainer_routes
from services.trainer.service.admission import Admission
from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_control import RunControl
from services.trainer.service.run_store import RunStore
from shared.events import CheckpointSaved, DatasetUploaded, ModelApproved, ModelDeployed
from shared.store import MemoryStore
from tests.browser.data_page_site import DataPages
from tests.browser.evaluator_data import EvaluatorData
from tests.browser.in_process_bus import InProcessBus
from tests.browser.review_data import Service as ReviewService
from tests.browser.scripted_training import ScriptedTraining
from tests.browser.serving_data import ServingData
from tests.browser.site import Site, serving
from tests.browser.trainer_data import BASE, NoArchive, OneBaseModel, use_cases


def tuned_models_are_right(version: str | None, _place: int, item: Item) -> str:
    return item.reference if version else "I do not know."


class NothingToPreload:
    """Takes the place of the adapter loader: versions are loaded when they are approved."""

    def preload(self, job_id: str, candidates: Any) -> None: ...

    def cancel_preload(self, job_id: str) -> None: ...


class WholeSite:
    """The use cases of all services."""

    def __init__(self, folder: Path) -> None:
        self.bus = InProcessBus()
        self.data = DataPages(folder / "data", (BASE,), self.bus)
        self.serving = ServingData(store=self.data.gateway_store)
        self.trainer_store = MemoryStore("trainer")
        self.runs = RunStore.of(self.trainer_store)
        self.evaluator = EvaluatorData(folder / "evaluator", self.data.artifacts, tuned_models_are_right)
        self.review = ReviewService(folder / "review", {"automatic": shipped_policies()["automatic"]})
        part = self.data.part
        self.deployments = Deployments(
            views=self.serving.deployments,
            jobs=part.jobs,
            projection=part.projection,
            loader=cast(Any, NothingToPreload()),
            changed=asyncio.Event(),
        )
        self._subscribe()

    def _subscribe(self) -> None:
        bus, part = cast(Any, self.bus), self.data.part
        subscribe_gateway(bus, part.file_use_cases, part.projection, part.configurations, self.deployments)
        self.bus.subscribe_dated(ModelApproved, self._load)
        self.bus.subscribe(DatasetUploaded, self.data.datasets.check)
        admission = Admission(self.runs, NoArchive(), OneBaseModel(), "assay", memory_bytes=2**34)
        control = RunControl(self.runs, NoArchive(), admission)
        subscribe_trainer(bus, control, JobOptions(self.runs), cast(Any, ScriptedTraining(self.runs)))
        self.bus.subscribe(CheckpointSaved, self.evaluator.evaluations.evaluate)
        self.bus.subscribe_dated(ModelDeployed, self.evaluator.evaluations.deployed)
        subscribe_review(bus, self.review.runs, self.review.baselines)

    async def _load(self, event: ModelApproved, _at: datetime) -> None:
        """What the reconciler does, with engines that load at once."""
        for replica in self.serving.fleet.replicas:
            replica.loaded.add(loaded_name(event.candidate))
        deployment = await self.serving.deployments.get(event.candidate.job_id)
        assert deployment is not None
        await self.deployments.finish(deployment, len(self.serving.fleet.replicas), {})
        await self.deployments.report_outcomes()
        await self.serving.directory.refresh()

    def use_cases(self) -> dict[str, Any]:
        part, serving_part = self.data.part, self.serving
        metrics = RankingMetrics(part.configurations.views)
        overviews = Overviews(
            jobs=part.jobs,
            files=part.files,
            checkpoints=part.checkpoints,
            metrics=metrics,
            directory=serving_part.directory,
            fleet=serving_part.fleet,
        )
        return {
            **use_cases(self.runs),
            **self.evaluator.provide(cast(Any, None), cast(Any, None)),
            **serving_part.use_cases,
            **self.data.use_cases(),
            "metrics": metrics,
            "overviews": overviews,
        }

    @asynccontextmanager
    async def running(self, _app: Litestar) -> AsyncGenerator[None]:
        await self.serving.pools.put(BASE, ["http://10.0.0.5:8000"])
        self.serving.fleet.replicas[0].up = True
        stores = (self.data.gateway_store, self.data.store, self.trainer_store, self.evaluator.store, self.review.store)
        async with self.bus.relaying(stores):
            yield


@contextmanager
def whole_site(folder: Path) -> Generator[Site]:
    """The pages and the APIs that they call, at one origin, as behind the gateway."""
    whole = WholeSite(folder)
    pages = [ingest_routes, trainer_routes, evaluator_routes, *ROUTES[:2]]
    apis = [*ingest_api.routes, files_api.routes, events_api.routes, jobs_api.routes]
    with serving(
        [*pages, *apis],
        folder,
        lambda *_: whole.use_cases(),
        lifespan=[whole.running],
        exception_handlers={**error_responses.HANDLERS, **ingest_api.PROBLEMS},
        request_max_body_size=2**24,
    ) as site:
        yield site

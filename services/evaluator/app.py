"""Builds the evaluator."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar

from services.evaluator import handlers
from services.evaluator.comparison import api as comparison_api
from services.evaluator.comparison.adapters.spreadsheet import as_csv, as_xlsx
from services.evaluator.comparison.service import Comparisons, RequestedComparisons
from services.evaluator.config import Settings
from services.evaluator.evaluation.adapters.tfidf_search import TfidfSearch
from services.evaluator.evaluation.api import evaluations as evaluations_api
from services.evaluator.evaluation.api import explanations as explanations_api
from services.evaluator.evaluation.api import fairness as fairness_api
from services.evaluator.evaluation.domain.evaluation import Evaluation, Progress
from services.evaluator.evaluation.domain.job_rubric import JobRubric
from services.evaluator.evaluation.domain.production import Production
from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from services.evaluator.evaluation.service.evaluation_requests import EvaluationRequests
from services.evaluator.evaluation.service.evaluation_runner import EvaluationRunner
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.explanations import Explanations
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.evaluation.service.restoration import EvaluationRestoration
from services.evaluator.evaluation.service.suite_runner import SuiteRunner
from services.evaluator.judging.adapters.configured_judge import ConfiguredJudge
from services.evaluator.judging.api import agreement as agreement_api
from services.evaluator.judging.api import paraphrases as paraphrases_api
from services.evaluator.judging.domain.agreement import ReviewRatings
from services.evaluator.judging.service.agreements import Agreements
from services.evaluator.judging.service.paraphrasing import Paraphrasing
from services.evaluator.pages import PAGES
from services.evaluator.pages.routes import routes as pages
from services.evaluator.scoring.adapters.engine_models import EngineModels
from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.adapters.worker_process import WorkerScorer
from services.evaluator.scoring.domain import metrics
from services.evaluator.scoring.domain.scoring import Scoring
from services.evaluator.scoring.service.scorings import Scorings
from services.evaluator.suites import api as suites_api
from services.evaluator.suites.adapters.questions import TaskChecker, table_rows
from services.evaluator.suites.adapters.suite_folders import SHIPPED, SuiteFolders
from services.evaluator.suites.adapters.tables import read_table
from services.evaluator.suites.domain.suite import FolderSuite, Suite, SuitePins
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_publication import publish_folder_suites
from services.evaluator.suites.service.suite_restoration import SuiteRestoration
from services.evaluator.suites.service.suite_tables import SuiteTables
from shared import telemetry, web
from shared.artifact_outage import is_away_or_full
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.pages import error_pages
from shared.store import Store

_log = telemetry.logger(__name__)
PUBLISH_AGAIN_S = 2.0

_APIS = (evaluations_api, explanations_api, fairness_api, comparison_api, suites_api, paraphrases_api, agreement_api)
EVALUATION_INDEXES = (
    "evaluated_at",
    ("job_id", "evaluated_at"),
    ("done.candidate.suffix", "evaluated_at"),
    ("done.candidate.owner", "evaluated_at"),
)


def build(settings: Settings) -> Litestar:
    """The complete service, not yet connected; raises `UnknownMetric`."""
    common, api_key = settings.common, settings.engine_api_key.get_secret_value()
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    bus = Bus(common.nats_url, "evaluator", store)
    artifacts = Artifacts(common.artifacts, create=False)
    scorer = WorkerScorer(settings)
    judge = ConfiguredJudge(settings)
    catalog = _suite_catalog(settings, store, artifacts)
    rubrics = JobRubrics(store.collection("job_rubrics", JobRubric, indexes=[]))
    evaluations = _evaluations(settings, store, artifacts, scorer, catalog, rubrics)
    agreements = Agreements(
        store=store.collection("agreements", ReviewRatings, indexes=["judge"]),
        evaluations=evaluations.store,
        files=artifacts,
        rater=judge,
        rubrics=rubrics,
        judge=settings.judge_model if settings.judge_url else "",
    )
    requests = EvaluationRequests(
        store=store.collection(
            "requested_evaluations",
            RequestedEvaluation,
            indexes=[("requested.job_id", "created_at"), ("requested.job_id", "owner", "created_at")],
        ),
        evaluations=evaluations,
        engines=EngineModels([settings.engine_url, *settings.engine_urls.values()], api_key),
    )
    requested = RequestedEvaluations(
        store=requests.store,
        scorings=evaluations.runner.scorings,
        suite_catalog=catalog,
        files=artifacts,
        rubrics=rubrics,
        protocol=evaluations.protocol,
        judge=settings.judge_model,
    )
    handlers.subscribe(bus, evaluations, requested, agreements, rubrics)
    handlers.restore(
        bus,
        EvaluationRestoration(evaluations.store, requests.store),
        SuiteRestoration(catalog.store, catalog.published, artifacts),
    )
    engine = Vllm(settings.engine_url, api_key, settings.request_timeout_s)
    return web.build(
        "evaluator",
        settings,
        [*(api.routes for api in _APIS), pages],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready, "engine": engine.check},
        lifespan=[scorer.lifespan, web.connections(store, bus, inbox_days=common.inbox_days), _publishing(catalog)],
        audited=store,
        dependencies={
            "evaluations": evaluations,
            "suite_catalog": catalog,
            "suite_tables": SuiteTables(catalog, catalog.folders, artifacts, read_table),
            "comparisons": Comparisons(evaluations, artifacts, {"csv": as_csv, "xlsx": as_xlsx}),
            "requests": requests,
            "requested_comparisons": RequestedComparisons(artifacts),
            "agreements": agreements,
            "explanations": Explanations(evaluations, TfidfSearch(artifacts)),
            "paraphrasing": Paraphrasing(catalog, judge, partial(table_rows, artifacts)),
        },
        exception_handlers={error: answer for api in _APIS for error, answer in api.problems.items()},
        page_errors=error_pages(PAGES),
    )


def _publishing(catalog: SuiteCatalog) -> web.Lifespan:
    """Publishes the suites of the server's folders once the store is connected, and artifacts can be stored."""

    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        async with web.beside(_publish_later(catalog, published=await _are_published(catalog))):
            yield

    return run


async def _publish_later(catalog: SuiteCatalog, *, published: bool) -> None:
    while not published:
        await asyncio.sleep(PUBLISH_AGAIN_S)
        try:
            published = await _are_published(catalog)
        except Exception:
            _log.exception("the suites of the server's folders could not be published")


async def _are_published(catalog: SuiteCatalog) -> bool:
    """False while the artifact store is away or full."""
    try:
        await publish_folder_suites(catalog)
    except Exception as error:
        if not is_away_or_full(error):
            raise
        _log.warning("the suites of the server's folders are not published yet", reason=str(error))
        return False
    return True


def _suite_catalog(settings: Settings, store: Store, artifacts: Artifacts) -> SuiteCatalog:
    return SuiteCatalog(
        store=store.collection("suites", Suite, few=True),
        pins=store.collection("suite_pins", SuitePins, indexes=[]),
        published=store.collection("folder_suites", FolderSuite, indexes=[]),
        folders=SuiteFolders(*settings.suites, SHIPPED),
        files=artifacts,
        task_check=TaskChecker(artifacts),
        default=settings.default_suite,
        max_suites=settings.key_suites,
    )


def _evaluations(
    settings: Settings,
    store: Store,
    artifacts: Artifacts,
    scorer: WorkerScorer,
    catalog: SuiteCatalog,
    rubrics: JobRubrics,
) -> Evaluations:
    scorings = Scorings(store.collection("scorings", Scoring, indexes=[]), scorer, settings.lease_s)
    production = store.collection("production", Production, indexes=[])
    runner = EvaluationRunner(scorings, production, artifacts)
    progress = store.collection("progress", Progress, indexes=[])
    return Evaluations(
        store=store.collection("evaluations", Evaluation, indexes=EVALUATION_INDEXES),
        production=production,
        runner=runner,
        suite_runner=SuiteRunner(runner, progress, rubrics, settings.judge_model),
        suite_catalog=catalog,
        files=artifacts,
        protocol=_protocol(settings),
    )


def _protocol(settings: Settings) -> str:
    """Everything that scores depend on besides weights and questions."""
    additional = "+".join(sorted(registry.known(settings.metrics)))
    merged = "merged" if settings.engine_mode == "weights" else ""
    return "-".join(filter(None, (merged, f"metrics-{metrics.VERSION}", additional, f"tokens-{settings.max_tokens}")))

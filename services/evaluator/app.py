"""Builds the evaluator."""

from functools import partial

from litestar import Litestar

from services.evaluator import handlers
from services.evaluator.comparison import api as comparison_api
from services.evaluator.comparison.adapters.spreadsheet import as_csv, as_xlsx
from services.evaluator.comparison.service import Comparisons
from services.evaluator.config import Settings
from services.evaluator.evaluation.adapters.mongo import MongoEvaluationStore, MongoProductionStore, MongoProgressStore
from services.evaluator.evaluation.adapters.tfidf_search import TfidfSearch
from services.evaluator.evaluation.api import evaluations as evaluations_api
from services.evaluator.evaluation.api import explanations as explanations_api
from services.evaluator.evaluation.ports import Evaluation, EvaluationStore, ProductionRecord, Progress
from services.evaluator.evaluation.service.evaluation_runner import EvaluationRunner
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.explanations import Explanations
from services.evaluator.judging.adapters.configured_judge import ConfiguredJudge
from services.evaluator.judging.adapters.mongo import MongoAgreementStore
from services.evaluator.judging.api import agreement as agreement_api
from services.evaluator.judging.api import paraphrases as paraphrases_api
from services.evaluator.judging.ports import AgreementRecord
from services.evaluator.judging.service.agreements import Agreements
from services.evaluator.judging.service.paraphrasing import Paraphrasing
from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.adapters.mongo import MongoScoringStore
from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.adapters.worker_process import WorkerScorer
from services.evaluator.scoring.domain import metrics
from services.evaluator.scoring.ports import ScoringRecord
from services.evaluator.scoring.service.scorings import Scorings
from services.evaluator.suites import api as suites_api
from services.evaluator.suites.adapters.mongo import MongoSuiteStore
from services.evaluator.suites.adapters.questions import table_rows
from services.evaluator.suites.adapters.suite_folders import SHIPPED, SuiteFolders
from services.evaluator.suites.ports import SuiteRecord
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.store import Store

_APIS = (evaluations_api, explanations_api, comparison_api, suites_api, paraphrases_api, agreement_api)


def build(settings: Settings) -> Litestar:
    """The complete service, not yet connected; raises `UnknownMetric`."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    bus = Bus(common.nats_url, "evaluator", store)
    artifacts = Artifacts(common.artifacts)
    scorer = WorkerScorer(settings)
    judge = ConfiguredJudge(settings)
    catalog = _suite_catalog(settings, store, artifacts)
    evaluations = _evaluations(settings, store, artifacts, scorer, catalog)
    agreements = _agreements(settings, store, artifacts, judge, evaluations.store)
    handlers.subscribe(bus, evaluations, agreements)
    engine = Vllm(settings.engine_url, settings.engine_api_key, settings.request_timeout_s)
    return web.build(
        "evaluator",
        settings,
        [api.routes for api in _APIS],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready, "engine": engine.check},
        lifespan=[scorer.lifespan, web.connections(store, bus)],
        audited=store,
        dependencies={
            "evaluations": evaluations,
            "suite_catalog": catalog,
            "comparisons": Comparisons(evaluations.store, artifacts, {"csv": as_csv, "xlsx": as_xlsx}),
            "agreements": agreements,
            "explanations": Explanations(evaluations, TfidfSearch(artifacts)),
            "paraphrasing": Paraphrasing(catalog, judge, partial(table_rows, artifacts)),
        },
        exception_handlers={error: answer for api in _APIS for error, answer in api.problems.items()},
    )


def _suite_catalog(settings: Settings, store: Store, artifacts: Artifacts) -> SuiteCatalog:
    return SuiteCatalog(
        store=MongoSuiteStore(store.collection("suites", SuiteRecord)),
        folders=SuiteFolders(*settings.suites, SHIPPED),
        files=artifacts,
        check_metrics=registry.check,
        default=settings.default_suite,
    )


def _evaluations(
    settings: Settings, store: Store, artifacts: Artifacts, scorer: WorkerScorer, catalog: SuiteCatalog
) -> Evaluations:
    scorings = Scorings(MongoScoringStore(store.collection("scorings", ScoringRecord)), scorer, settings.lease_s)
    production = MongoProductionStore(store.collection("production", ProductionRecord))
    return Evaluations(
        store=MongoEvaluationStore(store.collection("evaluations", Evaluation)),
        production=production,
        progress=MongoProgressStore(store.collection("progress", Progress)),
        runner=EvaluationRunner(scorings, production, artifacts),
        suite_catalog=catalog,
        files=artifacts,
        protocol=_protocol(settings),
        judge=settings.judge_model,
    )


def _agreements(
    settings: Settings, store: Store, artifacts: Artifacts, judge: ConfiguredJudge, evaluations: EvaluationStore
) -> Agreements:
    return Agreements(
        store=MongoAgreementStore(store.collection("agreements", AgreementRecord)),
        evaluations=evaluations,
        files=artifacts,
        rater=judge,
        judge=settings.judge_model if settings.judge_url else "",
    )


def _protocol(settings: Settings) -> str:
    """Everything that scores depend on besides weights and questions."""
    additional = "+".join(sorted(registry.known(settings.metrics)))
    merged = "merged" if settings.engine_mode == "weights" else ""
    return "-".join(filter(None, (merged, f"metrics-{metrics.VERSION}", additional, f"tokens-{settings.max_tokens}")))

"""Puts evaluator together."""

from functools import partial

from litestar import Litestar

from services.evaluator import api, handlers
from services.evaluator.adapters.child import ChildScorer
from services.evaluator.adapters.exports import as_csv, as_xlsx
from services.evaluator.adapters.judge import JudgeRater
from services.evaluator.adapters.metrics import registry
from services.evaluator.adapters.mongo import (
    MongoAgreementStore,
    MongoEvaluationStore,
    MongoProductionStore,
    MongoProgressStore,
    MongoScoringStore,
    MongoSuiteStore,
)
from services.evaluator.adapters.nearest import NearestByWords
from services.evaluator.adapters.questions import table_rows
from services.evaluator.adapters.suites import SHIPPED, SuiteFolders
from services.evaluator.adapters.vllm import Vllm
from services.evaluator.config import Settings
from services.evaluator.domain import metrics
from services.evaluator.ports import (
    AgreementRecord,
    Evaluation,
    ProductionRecord,
    Progress,
    ScoringRecord,
    SuiteRecord,
)
from services.evaluator.service.agreements import Agreements
from services.evaluator.service.comparisons import Comparisons
from services.evaluator.service.evaluations import Evaluations
from services.evaluator.service.explaining import Explaining
from services.evaluator.service.inquiry import Inquiry
from services.evaluator.service.rewording import Rewording
from services.evaluator.service.scorings import Scorings
from services.evaluator.service.suitebook import Suitebook
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.store import Store


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything; raises `UnknownMetric`."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}evaluator", "evaluator")
    bus = Bus(common.nats_url, "evaluator", store)
    artifacts = Artifacts(common.artifacts)
    scorer = ChildScorer(settings)
    scorings = Scorings(MongoScoringStore(store.collection("scorings", ScoringRecord)), scorer, settings.lease_s)
    production = MongoProductionStore(store.collection("production", ProductionRecord))
    suitebook = Suitebook(
        MongoSuiteStore(store.collection("suites", SuiteRecord)),
        SuiteFolders(*settings.suites, SHIPPED),
        artifacts,
        registry.check,
        settings.default_suite,
    )
    kept = MongoEvaluationStore(store.collection("evaluations", Evaluation))
    comparisons = Comparisons(kept, artifacts, {"csv": as_csv, "xlsx": as_xlsx})
    evaluations = Evaluations(
        kept,
        production,
        MongoProgressStore(store.collection("progress", Progress)),
        Inquiry(scorings, production, artifacts),
        suitebook,
        artifacts,
        protocol=_protocol(settings),
        judge=settings.judge_model,
    )
    judge = JudgeRater(settings)
    agreements = Agreements(
        MongoAgreementStore(store.collection("agreements", AgreementRecord)),
        kept,
        artifacts,
        judge,
        settings.judge_model if settings.judge_url else "",
    )
    handlers.subscribe(bus, evaluations, agreements)
    engine = Vllm(settings.engine_url, settings.engine_api_key, settings.request_timeout_s)
    return web.build(
        "evaluator",
        settings,
        api.routes,
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready, "engine": engine.check},
        lifespan=[scorer.lifespan, web.connections(store, bus)],
        dependencies={
            "evaluations": evaluations,
            "suitebook": suitebook,
            "comparisons": comparisons,
            "agreements": agreements,
            "explaining": Explaining(evaluations, NearestByWords(artifacts)),
            "rewording": Rewording(suitebook, judge, partial(table_rows, artifacts)),
        },
        exception_handlers=api.problems,
    )


def _protocol(settings: Settings) -> str:
    """What a scoring depends on beside weights and questions."""
    more = "+".join(sorted(registry.known(settings.metrics)))
    merged = "merged" if settings.engine_mode == "weights" else ""
    return "-".join(filter(None, (merged, f"metrics-{metrics.VERSION}", more, f"tokens-{settings.max_tokens}")))

"""Puts evaluator together."""

from litestar import Litestar

from services.evaluator import api, handlers, suites_api
from services.evaluator.adapters.child import ChildScorer
from services.evaluator.adapters.metrics import registry
from services.evaluator.adapters.mongo import (
    MongoEvaluationStore,
    MongoProductionStore,
    MongoScoringStore,
    MongoSuiteStore,
)
from services.evaluator.adapters.suites import SHIPPED, SuiteFolders
from services.evaluator.adapters.vllm import Vllm
from services.evaluator.config import Settings
from services.evaluator.domain import metrics
from services.evaluator.inquiry import Inquiry
from services.evaluator.ports import Evaluation, ProductionRecord, ScoringRecord, SuiteRecord
from services.evaluator.scorings import Scorings
from services.evaluator.service import Evaluations
from services.evaluator.suitebook import Suitebook
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
    scorings = Scorings(
        MongoScoringStore(store.collection("scorings", ScoringRecord)), ChildScorer(settings), settings.lease_s
    )
    production = MongoProductionStore(store.collection("production", ProductionRecord))
    suitebook = Suitebook(
        MongoSuiteStore(store.collection("suites", SuiteRecord)),
        SuiteFolders(*settings.suites, SHIPPED),
        artifacts,
        registry.check,
        settings.default_suite,
    )
    evaluations = Evaluations(
        MongoEvaluationStore(store.collection("evaluations", Evaluation)),
        production,
        Inquiry(scorings, production, artifacts),
        suitebook,
        artifacts,
        protocol=_protocol(settings),
    )
    handlers.subscribe(bus, evaluations)
    engine = Vllm(settings.engine_url, settings.engine_api_key, settings.request_timeout_s)
    return web.build(
        "evaluator",
        settings,
        [api.routes, suites_api.routes],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready, "engine": engine.check},
        lifespan=[web.connections(store, bus)],
        dependencies={"evaluations": evaluations, "suitebook": suitebook},
        exception_handlers={**api.problems, **suites_api.problems},
    )


def _protocol(settings: Settings) -> str:
    """What a scoring depends on beside weights and questions."""
    more = "+".join(sorted(registry.known(settings.metrics)))
    return "-".join(filter(None, (f"metrics-{metrics.VERSION}", more, f"tokens-{settings.max_tokens}")))

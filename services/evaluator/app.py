"""Puts evaluator together."""

from litestar import Litestar

from services.evaluator import api, handlers
from services.evaluator.adapters.child import ChildScorer
from services.evaluator.adapters.metrics import registry
from services.evaluator.adapters.mongo import MongoEvaluationStore, MongoProductionStore, MongoScoringStore
from services.evaluator.adapters.vllm import Vllm
from services.evaluator.config import Settings
from services.evaluator.domain import metrics
from services.evaluator.ports import Evaluation, ProductionRecord, ScoringRecord
from services.evaluator.scorings import Scorings
from services.evaluator.service import Evaluations
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
    evaluations = Evaluations(
        MongoEvaluationStore(store.collection("evaluations", Evaluation)),
        MongoProductionStore(store.collection("production", ProductionRecord)),
        scorings,
        artifacts,
        protocol=_protocol(settings),
    )
    handlers.subscribe(bus, evaluations)
    engine = Vllm(settings.engine_url, settings.engine_api_key, settings.request_timeout_s)
    return web.build(
        "evaluator",
        settings,
        [api.routes],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready, "engine": engine.check},
        lifespan=[web.connections(store, bus)],
        dependencies={"evaluations": evaluations},
    )


def _protocol(settings: Settings) -> str:
    """What a scoring depends on beside weights and questions."""
    more = "+".join(sorted(registry.known(settings.metrics)))
    return "-".join(filter(None, (f"metrics-{metrics.VERSION}", more, f"tokens-{settings.max_tokens}")))

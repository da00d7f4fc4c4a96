"""Puts review together."""

from litestar import Litestar

from services.review import api, handlers
from services.review.adapters.mongo import MongoPolicyStore, MongoReviewStore, MongoRunStore
from services.review.adapters.shipped import shipped_policies
from services.review.config import Settings
from services.review.ports import PolicyRecord, ReviewRecord, RunRecord
from services.review.service.reviews import Reviews
from services.review.service.rulebook import Rulebook
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.store import Store


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}review", "review")
    bus = Bus(common.nats_url, "review", store)
    artifacts = Artifacts(common.artifacts)
    policies = MongoPolicyStore(store.collection("policies", PolicyRecord))
    rulebook = Rulebook(policies, shipped_policies(), settings.default_policy)
    reviews = Reviews(
        runs=MongoRunStore(store.collection("runs", RunRecord)),
        reviews=MongoReviewStore(store.collection("reviews", ReviewRecord)),
        rulebook=rulebook,
        files=artifacts,
    )
    handlers.subscribe(bus, reviews)
    return web.build(
        "review",
        settings,
        [api.routes],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready},
        lifespan=[web.connections(store, bus)],
        dependencies={"reviews": reviews, "rulebook": rulebook},
        exception_handlers=api.problems,
    )

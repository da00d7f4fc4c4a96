"""Puts the gateway together."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar

from services.gateway import handlers
from services.gateway.adapters.dns import addresses
from services.gateway.adapters.figures import figures
from services.gateway.adapters.keys import NatsKeyStore
from services.gateway.adapters.mongo import MongoViews
from services.gateway.adapters.stream import NatsEventStream
from services.gateway.adapters.tallies import MongoTallies, TallyDocument
from services.gateway.adapters.vllm import VllmEngine
from services.gateway.adapters.weight_files import WeightFiles
from services.gateway.api import chat, errors, events, files, jobs, keys, models, usage
from services.gateway.api import pools as pools_api
from services.gateway.api.chat import ChatDoor
from services.gateway.api.front import Front
from services.gateway.api.meter import chat_meter
from services.gateway.config import Settings
from services.gateway.domain.deployment import Catalog
from services.gateway.domain.fleet import Fleet
from services.gateway.ports import (
    AliasView,
    CheckpointView,
    ClaimView,
    DeploymentView,
    FileView,
    JobView,
    LeaseView,
    MessageView,
    PoolView,
    RouteView,
    UsageView,
)
from services.gateway.service.claims import Claims
from services.gateway.service.comparison import Comparison
from services.gateway.service.deployments import Deployments, Directory
from services.gateway.service.files import Files
from services.gateway.service.history import Chronicle, History
from services.gateway.service.inference import Inference
from services.gateway.service.jobs import Jobs
from services.gateway.service.keys import Keys
from services.gateway.service.leases import Leases
from services.gateway.service.ledger import Ledger
from services.gateway.service.loader import Loader
from services.gateway.service.pools import Pools
from services.gateway.service.posting import Posting
from services.gateway.service.routes import Routes
from services.gateway.service.swaps import Swaps
from services.gateway.service.versions import Versions
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.keys import SharedKeys
from shared.security import Keyring
from shared.store import Store, StoreUnreachable
from shared.web import Lifespan, Unavailable


def build(settings: Settings) -> Front:
    """The whole service, not yet connected to anything."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}gateway", "gateway")
    bus = Bus(common.nats_url, "gateway", store)
    keyring = Keyring(common.keys_file)
    artifacts = Artifacts(common.artifacts)
    engine = VllmEngine(settings.engine_api_key, settings.engine_timeout_s)
    fleet = Fleet({})

    file_views = MongoViews(store.collection("files", FileView))
    job_views = MongoViews(store.collection("jobs", JobView, ["fine_tuned_model", "requested.training_file"]))
    message_views = MongoViews(store.collection("messages", MessageView, ["job_id"]))
    checkpoint_views = MongoViews(store.collection("checkpoints", CheckpointView, ["job_id", "model_name"]))
    route_views = MongoViews(store.collection("routes", RouteView))
    alias_views = MongoViews(store.collection("aliases", AliasView))
    deployment_views = MongoViews(store.collection("deployments", DeploymentView, ["candidate.suffix"]))

    claims = Claims(MongoViews(store.collection("claims", ClaimView)))
    stored = Files(file_views, artifacts)
    tell = Chronicle(message_views).tell
    tuning = Jobs(
        *(job_views, file_views, message_views, checkpoint_views, deployment_views, tell, fleet.pools),
        settings.max_lora_rank,
        claims,
    )
    history = History(tuning, stored, job_views, checkpoint_views)
    loader = Loader(
        *(engine, artifacts, fleet, common.cache_dir / "adapters", settings.probe_s, settings.on_demand),
        *(WeightFiles(), settings.max_lora_rank),
    )
    # A process that is started again is another one: what it did not finish is nobody's until its lease ends.
    holder = f"{common.instance or 'gateway'}-{secrets.token_hex(8)}"
    lease_views = MongoViews(store.collection("leases", LeaseView))
    swaps = Swaps(loader, Leases(lease_views, holder), common.cache_dir / "merged")
    directory = Directory(Catalog((), []))
    pools = Pools(MongoViews(store.collection("pools", PoolView)), fleet, addresses, settings.engines)
    deployments = Deployments(
        *(deployment_views, alias_views, route_views, job_views, history, pools, fleet, loader, swaps, directory),
        *(settings.keep_versions, settings.reconcile_s),
    )
    tallies = MongoTallies(
        store.collection("tallies", TallyDocument, ["at"]), store.collection("usage", UsageView, ["day", "key_id"])
    )
    ledger = Ledger(tallies, settings.settle_s)
    inference = Inference(
        *(directory, fleet, engine, loader, deployments, job_views, checkpoint_views, settings.max_in_flight),
        *(Comparison(engine, fleet, figures()), ledger),
    )
    versions = Versions(deployments)
    handlers.subscribe(bus, stored, history, deployments)
    door = ChatDoor(inference, keyring, settings.max_choices, settings.max_body_bytes, chat_meter())
    application = web.build(
        "gateway",
        settings,
        [
            files.routes(settings.max_file_bytes),
            jobs.routes,
            models.routes,
            pools_api.routes,
            chat.routes,
            events.events,
            events.letters,
            keys.routes,
            usage.routes,
        ],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready, "engines": _ready(fleet)},
        lifespan=[engine.running, web.connections(store, bus), _settling(ledger), _reconciling(deployments)],
        dependencies={
            "files": stored,
            "jobs": tuning,
            "inference": inference,
            "versions": versions,
            "routes": Routes(route_views, versions),
            "deployments": deployments,
            "stream": Posting(NatsEventStream(bus), file_views, job_views, claims),
            "ledger": ledger,
            "keys": Keys(NatsKeyStore(SharedKeys(bus, keyring))),
            "settings": settings,
        },
        keyring=keyring,
        exception_handlers=errors.HANDLERS,
    )
    return Front(application, {chat.PATH: door})


def _ready(fleet: Fleet) -> web.Check:
    async def check() -> None:
        if unready := fleet.unready():
            raise Unavailable("; ".join(f"pool {base}: {why}" for base, why in unready.items()))

    return check


def _reconciling(deployments: Deployments) -> Lifespan:
    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        # Before the first request, so that no name is unknown for a moment after a restart.
        await deployments.pools.seed()
        await deployments.pools.arrange()
        await deployments.remember()
        loop = asyncio.create_task(deployments.run())
        try:
            yield
        finally:
            await _ended(loop)
            await deployments.swaps.end()

    return run


def _settling(ledger: Ledger) -> Lifespan:
    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncGenerator[None]:
        await ledger.begin()
        loop = asyncio.create_task(ledger.run())
        try:
            yield
        finally:
            await _ended(loop)
            # What was counted last; without MongoDB it is lost.
            with suppress(*StoreUnreachable):
                await ledger.settle()
                await ledger.write_usage()

    return run


async def _ended(loop: "asyncio.Task[None]") -> None:
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop

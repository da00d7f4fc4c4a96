"""Puts the gateway together."""

import secrets
from dataclasses import replace

from services.gateway import handlers
from services.gateway.adapters.callers import HttpCaller
from services.gateway.adapters.dns import addresses
from services.gateway.adapters.figures import figures
from services.gateway.adapters.keys import NatsKeyStore
from services.gateway.adapters.mongo import MongoDeliveries, MongoViews
from services.gateway.adapters.stream import NatsEventStream
from services.gateway.adapters.tallies import MongoTallies, TallyDocument
from services.gateway.adapters.vllm import VllmEngine
from services.gateway.adapters.weight_files import WeightFiles
from services.gateway.api import auditing, chat, errors, events, files, jobs, keys, lifespans, models, usage, webhooks
from services.gateway.api import permissions as permissions_api
from services.gateway.api import pools as pools_api
from services.gateway.api.auditing import AuditMiddleware
from services.gateway.api.chat import ChatDoor
from services.gateway.api.front import Front
from services.gateway.api.meter import chat_meter
from services.gateway.config import Settings
from services.gateway.domain import chat as domain_chat
from services.gateway.domain import completions
from services.gateway.domain.addresses import networks
from services.gateway.domain.deployment import Catalog
from services.gateway.domain.fleet import Fleet
from services.gateway.ports import (
    AliasView,
    AuditView,
    CheckpointView,
    ClaimView,
    CursorView,
    DeliveryView,
    DeploymentView,
    FileView,
    JobView,
    LeaseView,
    MessageView,
    PermissionView,
    PoolView,
    RouteView,
    UsageView,
    WebhookView,
)
from services.gateway.service.audit import AuditLog
from services.gateway.service.beginnings import Beginnings
from services.gateway.service.claims import Claims
from services.gateway.service.comparison import Comparison
from services.gateway.service.courier import Courier
from services.gateway.service.deployments import Deployments, Directory
from services.gateway.service.files import Files
from services.gateway.service.following import Following, Owners
from services.gateway.service.history import Chronicle, History
from services.gateway.service.inference import Inference
from services.gateway.service.jobs import Jobs
from services.gateway.service.keys import Keys
from services.gateway.service.leases import Leases
from services.gateway.service.ledger import Ledger
from services.gateway.service.loader import Loader
from services.gateway.service.permissions import Permissions
from services.gateway.service.pools import Pools
from services.gateway.service.posting import Posting
from services.gateway.service.routes import Routes
from services.gateway.service.swaps import Swaps
from services.gateway.service.versions import Versions
from services.gateway.service.webhooks import Webhooks
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.keys import SharedKeys
from shared.security import Keyring
from shared.store import Store


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

    claim_views = MongoViews(store.collection("claims", ClaimView))
    claims = Claims(claim_views)
    stored = Files(file_views, artifacts)
    tell = Chronicle(message_views).tell
    tuning = Jobs(
        *(job_views, file_views, message_views, checkpoint_views, deployment_views, tell),
        Beginnings(fleet.pools, job_views, checkpoint_views),
        settings.max_lora_rank,
        claims,
    )
    history = History(tuning, stored, job_views, checkpoint_views)
    loader = Loader(
        *(engine, artifacts, fleet, common.cache_dir / "adapters", settings.probe_s, settings.on_demand),
        *(WeightFiles(settings.prepare_share), settings.max_lora_rank, settings.prepare_share),
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
    permissions = Permissions(
        MongoViews(store.collection("permissions", PermissionView, ["model"])), checkpoint_views, job_views
    )
    inference = Inference(
        *(directory, fleet, engine, loader, deployments, job_views, checkpoint_views, permissions),
        *(settings.max_in_flight, Comparison(engine, fleet, figures()), ledger),
    )
    versions = Versions(deployments)
    handlers.subscribe(bus, stored, history, deployments)
    audit_log = AuditLog(MongoViews(store.collection("audit", AuditView, ["at", "key_id"])))
    stream = NatsEventStream(bus)
    owners = Owners(file_views, job_views, claim_views)
    hook_views = MongoViews(store.collection("webhooks", WebhookView))
    calls = MongoDeliveries(store.collection("webhook_deliveries", DeliveryView, ["due_at", "webhook_id"]))
    caller = HttpCaller(networks(settings.webhook_networks))
    courier = Courier(
        *(stream, hook_views, calls, MongoViews(store.collection("cursors", CursorView)), caller, owners, keyring.get),
        settings.webhook_delays_s,
    )
    door = ChatDoor(inference, keyring, settings.max_choices, settings.max_body_bytes, chat_meter())
    text_door = replace(door, admit=completions.admit)
    application = web.build(
        "gateway",
        settings,
        [
            files.routes(settings.max_file_bytes),
            jobs.routes,
            models.routes,
            pools_api.routes,
            chat.routes,
            chat.text_routes,
            events.events,
            events.letters,
            keys.routes,
            usage.routes,
            auditing.routes,
            permissions_api.routes,
            webhooks.routes,
            webhooks.type_routes,
        ],
        checks={
            "mongo": store.check,
            "nats": bus.check,
            "artifacts": artifacts.ready,
            "engines": lifespans.ready(fleet),
        },
        lifespan=[
            engine.running,
            web.connections(store, bus),
            caller.running,
            lifespans.background(courier.run),
            lifespans.settling(ledger),
            lifespans.reconciling(deployments),
        ],
        dependencies={
            "files": stored,
            "jobs": tuning,
            "inference": inference,
            "versions": versions,
            "routes": Routes(route_views, versions),
            "deployments": deployments,
            "stream": Posting(stream, file_views, job_views, claims),
            "ledger": ledger,
            "permissions": permissions,
            "following": Following(stream, owners, settings.max_event_streams),
            "webhooks": Webhooks(hook_views, calls, caller),
            "audit_log": audit_log,
            "keys": Keys(NatsKeyStore(SharedKeys(bus, keyring))),
            "settings": settings,
        },
        keyring=keyring,
        middleware=[AuditMiddleware(audit_log)],
        exception_handlers=errors.HANDLERS,
    )
    return Front(application, {domain_chat.PATH: door, completions.PATH: text_door})

"""Builds the serving part: pools, deployments, swaps, the model list."""

import asyncio
from dataclasses import dataclass

from services.gateway.common.app import Part, Resources
from services.gateway.fine_tuning.app import FineTuning
from services.gateway.serving import handlers
from services.gateway.serving.adapters.dns import addresses
from services.gateway.serving.adapters.vllm import VllmEngine
from services.gateway.serving.adapters.weight_files import WeightFiles
from services.gateway.serving.api import job_report, lifespans, pools, versions
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.domain.pool import Pool
from services.gateway.serving.domain.weight_lease import WeightLease
from services.gateway.serving.ports import TrafficPlans
from services.gateway.serving.service.adapter_loader import AdapterLoader
from services.gateway.serving.service.deployments import Deployments
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.model_deletion import ModelDeletion
from services.gateway.serving.service.model_list import ModelList
from services.gateway.serving.service.pools import Pools
from services.gateway.serving.service.reconciler import Reconciler
from services.gateway.serving.service.replica_monitor import ReplicaMonitor
from services.gateway.serving.service.restoration import ServingRestoration
from services.gateway.serving.service.serving_follower import ServingFollower
from services.gateway.serving.service.versions import Versions
from services.gateway.serving.service.weight_leases import WeightLeases
from services.gateway.serving.service.weight_swaps import WeightSwaps

DEPLOYMENT_INDEXES = ("candidate.suffix", "told", "saved_at")


@dataclass(frozen=True)
class Serving:
    """The part, what reads in its place in a process without it, and what other parts use of it."""

    part: Part
    following: Part
    engine: VllmEngine
    loader: AdapterLoader
    follower: ServingFollower
    directory: Directory
    models: ModelList
    versions: Versions
    deletion: ModelDeletion
    pools: Pools
    changed: asyncio.Event


def serving(resources: Resources, fine_tuning: FineTuning, *, fleet: Fleet, splits: TrafficPlans) -> Serving:
    settings, common, changed = resources.settings, resources.settings.common, asyncio.Event()
    engine = VllmEngine(settings.engine_api_key.get_secret_value())
    stored = resources.collection("deployments", Deployment, DEPLOYMENT_INDEXES, stamped=True)
    pins = resources.collection("aliases", RollbackPin, few=True)
    stored_pools = resources.collection("pools", Pool, few=True)
    leases = WeightLeases(views=resources.collection("leases", WeightLease), holder=resources.instance)

    loader = AdapterLoader(
        engine=engine,
        artifacts=resources.artifacts,
        fleet=fleet,
        cache=common.cache_dir / "adapters",
        max_on_demand=settings.on_demand,
        folders=WeightFiles(settings.prepare_share),
        max_rank=settings.max_lora_rank,
        share=settings.prepare_share,
    )
    swaps = WeightSwaps(loader=loader, leases=leases, merged=common.cache_dir / "merged")
    monitor = ReplicaMonitor(engine=engine, probe_s=settings.probe_s)
    directory = Directory(deployments=stored, stored_pins=pins, splits=splits, fleet=fleet, keep=settings.keep_versions)
    pool_use_cases = Pools(
        views=stored_pools,
        fleet=fleet,
        resolve=addresses,
        seeds=settings.engines,
        max_lora_rank=settings.max_lora_rank,
        changed=changed,
    )
    deployments = Deployments(
        views=stored, jobs=fine_tuning.jobs, projection=fine_tuning.projection, loader=loader, changed=changed
    )
    reconciler = Reconciler(
        deployments=deployments,
        directory=directory,
        pools=pool_use_cases,
        fleet=fleet,
        monitor=monitor,
        loader=loader,
        swaps=swaps,
        changed=changed,
        every_s=settings.reconcile_s,
    )
    follower = ServingFollower(
        directory=directory,
        pools=pool_use_cases,
        fleet=fleet,
        monitor=monitor,
        leases=leases,
        changed=changed,
        every_s=settings.reconcile_s,
    )
    version_use_cases = Versions(
        views=stored,
        pins=pins,
        splits=splits,
        directory=directory,
        fleet=fleet,
        loader=loader,
        swaps=swaps,
        changed=changed,
    )
    models = ModelList(directory=directory)
    deletion = ModelDeletion(views=stored, pins=pins, splits=splits, directory=directory, fleet=fleet, changed=changed)
    restoration = ServingRestoration(deployments=stored, pins=pins, pools=stored_pools)

    def subscribe() -> None:
        files, projection = fine_tuning.file_use_cases, fine_tuning.projection
        handlers.subscribe(resources.bus, files, projection, fine_tuning.configurations, deployments)
        handlers.restore(resources.bus, fine_tuning.restoration, restoration)

    part = Part(
        routes=[pools.routes, job_report.routes],
        model_routes=[versions.roll_back],
        dependencies={
            "versions": version_use_cases,
            "pools": pool_use_cases,
            "deployments": deployments,
            "jobs": fine_tuning.job_use_cases,
        },
        lifespan=[engine.running, lifespans.reconciling(reconciler)],
        subscribe=subscribe,
    )
    following = Part(lifespan=[engine.running, lifespans.following(follower)])
    return Serving(
        part=part,
        following=following,
        engine=engine,
        loader=loader,
        follower=follower,
        directory=directory,
        models=models,
        versions=version_use_cases,
        deletion=deletion,
        pools=pool_use_cases,
        changed=changed,
    )

"""Names, versions and engines of a gateway in memory; the use cases are the gateway's own."""

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.console.domain.preference import Preference
from services.gateway.console.service.engine_changes import EngineChanges
from services.gateway.console.service.preferences import Preferences
from services.gateway.console.service.serving_overview import ServingOverviews
from services.gateway.events.domain.posted_event import PostedEvent
from services.gateway.events.service.publisher import EventPublisher
from services.gateway.inference.domain.traffic_split import AliasSplit
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.inference.service.traffic_splits import TrafficSplits
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.domain.pool import Pool
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.pools import Pools
from services.gateway.serving.service.versions import Versions
from shared.cloudevents import Envelope
from shared.events import Artifact, Candidate
from shared.security import Key
from shared.store import MemoryStore
from tests.browser.console_data import BASE
from tests.browser.site import at_once
from tests.quotas import every_event

NAME = "shop-assistant"
ENGINES = ["http://10.0.0.5:8000", "http://10.0.0.6:8000"]


class Loader:
    """Takes the place of the engines: a version is loaded at once."""

    async def load(self, replica: Replica, candidate: Candidate) -> None:
        replica.loaded.add(loaded_name(candidate))

    def holding(self, _candidate: Candidate) -> AbstractContextManager[None]:
        return nullcontext()


async def nowhere(_host: str, _port: int) -> list[str]:
    return []


@dataclass
class Published:
    """Takes the place of the stream: keeps what was published."""

    envelopes: list[Envelope] = field(default_factory=list)

    async def publish(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


async def anybody(_model: str, _key: Key) -> None:
    """Every key may call every model."""


@dataclass
class ServingData:
    """The stores of the serving part in memory."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore("gateway"))
    fleet: Fleet = field(default_factory=lambda: Fleet({}))
    published: Published = field(default_factory=Published)

    def __post_init__(self) -> None:
        self.deployments = self.store.collection("deployments", Deployment, stamped=True)
        self.pins = self.store.collection("aliases", RollbackPin)
        self.splits = SplitPlans(splits=self.store.collection("routes", AliasSplit))
        self.directory = Directory(
            deployments=self.deployments, stored_pins=self.pins, splits=self.splits, fleet=self.fleet, keep=3
        )
        self.pools = Pools(
            views=self.store.collection("pools", Pool),
            fleet=self.fleet,
            resolve=nowhere,
            seeds={},
            max_lora_rank=16,
            changed=asyncio.Event(),
        )
        loader: Any = Loader()
        self.versions = Versions(
            views=self.deployments,
            pins=self.pins,
            splits=self.splits,
            directory=self.directory,
            fleet=self.fleet,
            loader=loader,
            swaps=loader,
            changed=asyncio.Event(),
        )

    @property
    def publisher(self) -> EventPublisher:
        unused: Any = None
        return EventPublisher(
            stream=self.published,  # type: ignore[arg-type]
            files=unused,
            jobs=unused,
            aliases=unused,
            artifacts=unused,
            posted=self.store.collection("posted_events", PostedEvent),
            may_call=anybody,
            admit=every_event,
            holdings=unused,
        )

    @property
    def use_cases(self) -> dict[str, Any]:
        """What the pages are given, by name."""
        return {
            "serving": ServingOverviews(
                directory=self.directory,
                splits=self.splits,
                deployments=self.deployments,
                splits_of_names=self.splits.splits,
                pools=self.pools,
            ),
            "splits": TrafficSplits(
                splits=self.splits.splits,
                versions=self.versions,
                directory=self.directory,
                changed=asyncio.Event(),
            ),
            "versions": self.versions,
            "preferences": Preferences(self.store.collection("preferences", Preference)),
            "engines": EngineChanges(pools=self.pools),
            "publisher": self.publisher,
        }


def version(number: int, suffix: str = NAME) -> Candidate:
    digest = f"{number:064x}"
    return Candidate(
        job_id=f"ftjob-{suffix}-{number}",
        step=100 * number,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay:{suffix}:{number}:ckpt-step-{100 * number}",
        adapter=Artifact(uri=f"memory://{digest}", sha256=digest[::-1], bytes=1),
        lora_rank=8,
        suffix=suffix,
    )


async def deploy(data: ServingData, made: Candidate, age_s: float, **fields: Any) -> None:
    at = time.time() - age_s
    told = {"status": "deployed", "deployed_at": at, **fields}
    await data.deployments.create(Deployment(id=made.job_id, at=at, candidate=made, **told))
    for replica in data.fleet.replicas:
        if replica.up and told["status"] == "deployed":
            replica.loaded.add(loaded_name(made))


async def fill(data: ServingData) -> None:
    """Two engines, one of them away; a name with three versions, and one with a version."""
    await data.pools.put(BASE, ENGINES)
    data.fleet.replicas[0].up = True
    data.fleet.replicas[1].mark_down("refused the connection")
    for number in (1, 2, 3):
        await deploy(data, version(number), 1000 - 100 * number)
    await deploy(data, version(1, "kefu"), 500)
    await data.directory.refresh()


def filled() -> ServingData:
    data = ServingData()
    at_once(fill(data))
    return data

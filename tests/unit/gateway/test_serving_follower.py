"""A gateway that only follows finds out, for a request, whether an engine holds a version already."""

import asyncio
from collections.abc import Collection
from typing import Any, cast

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.serving_follower import ServingFollower
from tests.gateway import BASE, candidate


class SlowMonitor:
    """Notes each look, and finds the version."""

    def __init__(self) -> None:
        self.looks: list[str] = []

    async def adopt(self, replica: Replica, wanted: Collection[str]) -> None:
        self.looks.append(replica.url)
        await asyncio.sleep(0.05)
        replica.loaded.update(wanted)


async def test_many_requests_at_once_ask_each_engine_once() -> None:
    fleet, monitor, made = Fleet({BASE: ["http://a", "http://b"]}), SlowMonitor(), candidate("job-1")
    for replica in fleet.replicas:
        replica.up = True
    unused = cast(Any, None)
    follower = ServingFollower(
        directory=unused,
        pools=unused,
        fleet=fleet,
        monitor=cast(Any, monitor),
        leases=unused,
        changed=asyncio.Event(),
        every_s=1.0,
    )
    await asyncio.gather(*(follower.make_available(made) for _ in range(50)))
    assert sorted(monitor.looks) == ["http://a", "http://b"]
    assert fleet.holds(BASE, loaded_name(made))
    await follower.make_available(made)
    assert len(monitor.looks) == 2

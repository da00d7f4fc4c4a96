"""The versions of a stable name by HTTP, without an engine: lists, refusals, and their order."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import RollbackPin
from shared.cloudevents import Envelope
from shared.settings import CommonSettings
from shared.store import Store
from tests.gateway import BASE, Gateway, approved, candidate, eventually, running
from tests.ports import free_port

VERSIONS = [candidate(f"job-{n}").version for n in range(3)]


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    """A gateway over a database in which three versions were deployed and the name was rolled back to the second."""
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}gateway", "gateway")
    for n in range(3):
        made = Deployment(id=f"job-{n}", at=float(n), candidate=candidate(f"job-{n}"), status="deployed", told=True)
        await store.collection("deployments", Deployment, stamped=True).create(made)
    pin = RollbackPin(id="address", at=9.0, version=VERSIONS[1], beyond=2.0)
    await store.collection("aliases", RollbackPin).create(pin)
    async with running(bus_settings, [f"http://127.0.0.1:{free_port()}"]) as gateway:
        yield gateway
    store.close()


async def test_a_rollback_holds_after_a_restart_and_the_versions_are_listed(gateway) -> None:
    async with gateway.http("infer") as http:
        assert (await http.get("/v1/models/address")).json()["root"] == VERSIONS[1]
        listed = (await http.get("/v1/models/address/versions")).json()
    shown = [(version["version"], version["current"]) for version in listed["data"]]
    assert shown == [(VERSIONS[2], False), (VERSIONS[1], True), (VERSIONS[0], False)]


async def test_an_impossible_rollback_is_refused_and_changes_nothing(gateway) -> None:
    async with gateway.http("admin", "infer") as http:
        tries = [
            ("/v1/models/address/rollback", None, 503, "service_unavailable"),
            ("/v1/models/address/rollback", {"version": "v-0"}, 404, "version_not_found"),
            ("/v1/models/address/rollback", {"version": ""}, 400, "invalid_value"),
            ("/v1/models/address/rollback", {"n": 1}, 400, "unknown_parameter"),
            (f"/v1/models/{BASE}/rollback", None, 404, "model_not_found"),
            ("/v1/models/ft:a%2Fb/c/rollback", None, 404, "model_not_found"),
            ("/v1/models/address", None, 404, "unknown_url"),
        ]
        for path, body, status, code in tries:
            answer = await (http.post(path) if body is None else http.post(path, json=body))
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), path
        same = await http.post("/v1/models/address/rollback", json={"version": VERSIONS[1]})
        assert (same.status_code, same.json()["previous_version"]) == (200, VERSIONS[1])
        assert (await http.get("/v1/models/nothing/versions")).status_code == 404
        assert (await http.get("/v1/models/address")).json()["root"] == VERSIONS[1]
    async with gateway.http("infer", "train", "review") as http:
        assert (await http.post("/v1/models/address/rollback")).status_code == 403


async def test_an_approval_that_arrives_late_has_its_place_by_the_time_of_the_verdict(gateway, bus_settings) -> None:
    verdict_at = datetime(2020, 1, 1, tzinfo=UTC)
    late = Envelope.of(approved(candidate("job-late")), "test").model_copy(update={"time": verdict_at})
    await gateway.bus.publish(late)
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}gateway", "gateway")
    deployments = store.collection("deployments", Deployment, stamped=True)
    made = await eventually(lambda: deployments.get("job-late"))
    store.close()
    assert made.at == verdict_at.timestamp()

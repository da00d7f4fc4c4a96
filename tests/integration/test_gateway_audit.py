"""The audit log holds authenticated requests that could change something, the refused ones too."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.events import AliasClaimed, AuditRecorded, PoolChanged
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, eventually, rows, running


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


async def test_what_keys_did_and_tried_is_in_the_log_before_they_are_answered(gateway) -> None:
    async with gateway.sdk("train") as sdk, gateway.http("admin") as admin, gateway.http("infer") as infer:
        file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
        job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)
        made = (await admin.post("/v1/keys", json={"name": "app", "scopes": ["infer"]})).json()
        assert (await infer.delete(f"/v1/keys/{made['id']}")).status_code == 403
        await infer.post("/v1/files", headers={"authorization": "Bearer sk-none"})
        await infer.get("/v1/models")
        page = (await admin.get("/v1/audit_logs")).json()
        told = [(entry["action"], entry["object_id"], entry["status"]) for entry in page["data"]]
        assert told == [
            ("DELETE /v1/keys/{key_id}", made["id"], 403),
            ("POST /v1/keys", made["id"], 201),
            ("POST /v1/fine_tuning/jobs", job.id, 200),
            ("POST /v1/files", file.id, 200),
        ]
        assert made["secret"] not in str(page)
        newest = page["data"][0]
        assert newest["key_name"] == "test"
        assert newest["client"] == "127.0.0.1"
        assert len(newest["request_id"]) == 32
        of_object = (await admin.get("/v1/audit_logs", params={"object_id": made["id"], "limit": 1})).json()
        assert (len(of_object["data"]), of_object["has_more"]) == (1, True)
        rest = {"object_id": made["id"], "after": of_object["last_id"]}
        assert [e["status"] for e in (await admin.get("/v1/audit_logs", params=rest)).json()["data"]] == [201]
        assert (await infer.get("/v1/audit_logs")).status_code == 403
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await admin.request(method, f"/v1/audit_logs/{newest['id']}")
            assert answer.status_code in (404, 405), "nobody changes or removes an entry"


async def test_the_entries_of_other_services_are_in_the_same_log(gateway: Gateway) -> None:
    entry = AuditRecorded(
        entry_id="audit-1",
        service="review",
        key_id="key_1",
        key_name="Ada",
        action="PUT /v1/policies/{name}",
        path="/v1/policies/strict",
        object_id="strict",
        status=200,
        request_id="ab" * 16,
        at=1.5,
    )
    await gateway.say(entry)
    async with gateway.http("admin") as admin:

        async def listed() -> list[dict[str, Any]]:
            return (await admin.get("/v1/audit_logs", params={"service": "review"})).json()["data"]

        [found] = await eventually(listed)
        assert (found["id"], found["object_id"], found["key_name"]) == ("audit-1", "strict", "Ada")


async def test_changes_of_configuration_are_published_as_facts(gateway: Gateway) -> None:
    async with gateway.http("admin") as admin, gateway.sdk("train") as sdk:
        assert (await admin.put("/v1/pools/other", json={"replicas": ["http://127.0.0.1:8"]})).status_code == 200
        assert (await admin.delete("/v1/pools/other")).status_code == 200
        file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
        await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id, suffix="shop")

        async def published() -> bool:
            pools = [(fact.pool, fact.removed) for fact in await gateway.heard(PoolChanged)]
            aliases = [fact.alias for fact in await gateway.heard(AliasClaimed)]
            # The order of one pool's facts is kept, that between pools is not.
            return sorted(pools) == [("other", False), ("other", True), (BASE, False)] and aliases == ["shop"]

        await eventually(published)

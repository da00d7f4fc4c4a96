"""The audit log: who did what, also what was refused, and nothing of those who have no key."""

from collections.abc import AsyncIterator

import pytest

from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, rows, running


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

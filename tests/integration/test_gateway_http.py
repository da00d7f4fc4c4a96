"""Requests that the gateway refuses, and posted events, over real NATS and MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import nats
import pytest

from shared import topology
from shared.cloudevents import Envelope
from shared.events import TrainingRequested, TrainingSpec
from shared.settings import CommonSettings
from tests.conftest import NatsServer
from tests.gateway import BASE, Gateway, eventually, rows, running
from tests.ports import free_port

CHAT = {"model": BASE, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    own = {"max_file_bytes": 1024 * 1024}
    async with running(bus_settings, [f"http://127.0.0.1:{free_port()}"], **own) as gateway:
        yield gateway


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer that must have OpenAI's shape."""
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    return error


async def test_every_refusal_has_openais_shape(gateway) -> None:
    chat, jobs, files = "/v1/chat/completions", "/v1/fine_tuning/jobs", "/v1/files"
    async with gateway.http("infer") as infer, gateway.http("train") as train, httpx.AsyncClient() as nobody:
        assert refused(await nobody.post(gateway.url + chat, json=CHAT), 401)["code"] == "invalid_api_key"
        wrong = {"authorization": "Bearer sk-wrong"}
        assert refused(await nobody.get(f"{gateway.url}/v1/models", headers=wrong), 401)["code"] == "invalid_api_key"
        refused(await train.post(chat, json=CHAT), 403)
        refused(await infer.get(files), 403)
        refused(await infer.get("/v1/dead_letters"), 403)
        assert refused(await infer.get("/v1/nothing"), 404)["code"] == "unknown_url"
        refused(await infer.put(chat, json=CHAT), 405)
        refused(await infer.post(chat, content=b"{oops"), 400)
        refused(await infer.post(chat, content=b"[" * 100_000), 400)
        refused(await infer.post(chat, content=b'{"temperature": NaN}'), 400)
        refused(await infer.post(chat, content=b"\xff\xfe"), 400)
        refused(await infer.post(chat, json=[]), 400)
        assert refused(await infer.post(chat, json={**CHAT, "model": "gpt-0"}), 404)["code"] == "model_not_found"
        assert refused(await infer.get("/v1/models/gpt-0"), 404)["code"] == "model_not_found"
        assert refused(await train.get(f"{jobs}?limit=0"), 400)["param"] == "limit"
        assert refused(await train.get(f"{jobs}?limit=many"), 400)["param"] == "limit"
        refused(await train.get(f"{jobs}/ftjob-nothing"), 404)
        refused(await train.get(f"{jobs}/ftjob-nothing/events"), 404)
        refused(await train.get(f"{files}/file-nothing"), 404)
        unknown = refused(await train.post(jobs, json={"model": BASE, "training_file": "file-nothing"}), 400)
        assert unknown["param"] == "training_file"
        injected = refused(await train.post(jobs, json={"model": BASE, "training_file": {"$ne": None}}), 400)
        assert injected["param"] == "training_file"


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"prompt_logprobs": 1}, "prompt_logprobs"),
        ({"echo": True}, "echo"),
        ({"n": 1_000_000}, "n"),
        ({"chat_template": "{{ messages }}"}, "chat_template"),
        ({"best_of": 4}, "best_of"),
        ({"kv_transfer_params": {}}, "kv_transfer_params"),
        ({"messages": "hi"}, "messages"),
        ({"stream": "yes"}, "stream"),
    ],
)
async def test_a_parameter_that_can_harm_the_engine_is_refused_by_name(gateway, extra, param) -> None:
    async with gateway.http("infer") as http:
        assert refused(await http.post("/v1/chat/completions", json={**CHAT, **extra}), 400)["param"] == param


async def test_without_an_engine_callers_get_retry_after_and_an_operator_the_pools_name(gateway) -> None:
    async with gateway.http("infer") as http, gateway.http("admin") as operator:
        answer = await http.post("/v1/chat/completions", json=CHAT)
        refused(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        outside = await http.get("/readyz")
        assert (outside.status_code, outside.json()) == (503, {"status": "not ready"})
        ready = await operator.get("/readyz")
        assert ready.status_code == 503
        assert BASE in ready.json()["engines"]
        assert {ready.json()[name] for name in ("mongo", "nats", "artifacts")} == {"ok"}


async def test_bodies_are_limited_and_the_caller_is_told(gateway) -> None:
    async with gateway.http("admin") as http:
        long = {**CHAT, "messages": [{"role": "user", "content": "x" * 20_000_000}]}
        refused(await http.post("/v1/chat/completions", json=long), 413)
        form = {"files": {"file": ("a.jsonl", b"x" * 20_000_000)}, "data": {"purpose": "fine-tune"}}
        refused(await http.post("/v1/files", **form), 413)
        assert (await http.post("/v1/files", files={"file": ("a.jsonl", rows(9000))}, data=form["data"])).is_success
        refused(await http.post("/v1/files", files={"file": ("a.jsonl", b"x")}, data={"purpose": "vision"}), 400)
        refused(await http.post("/v1/files", files={"file": ("a.jsonl", b"")}, data=form["data"]), 400)
        refused(await http.post("/v1/files", data=form["data"]), 400)
        kind = {"content-type": "multipart/form-data; boundary=x"}
        refused(await http.post("/v1/files", content=b"nonsense", headers=kind), 400)


async def test_a_posted_event_reaches_its_consumers_when_the_keys_scope_allows_it(gateway) -> None:
    spec = TrainingSpec(base_model=BASE)
    fact = TrainingRequested(job_id="ftjob-posted", training_file="file-x", spec=spec, created_at=1)
    body = Envelope.of(fact, "a-notebook").model_dump(mode="json", exclude_none=True)
    async with gateway.http("infer") as infer, gateway.http("train") as train:
        refused(await infer.post("/v1/events", json=body), 403)
        answer = await train.post("/v1/events", json=body)
        assert answer.status_code == 202
        assert answer.json()["id"].endswith(f":{body['id']}"), "the id of the key stands before it"

        async def shown() -> bool:
            return (await train.get("/v1/fine_tuning/jobs/ftjob-posted")).status_code == 200

        await eventually(shown)
        short = {"type": "training.cancel_requested", "data": {"job_id": "ftjob-posted"}}
        assert (await train.post("/v1/events", json=short)).json()["subject"] == "ftjob-posted"
        refused(await train.post("/v1/events", json={"type": "model.approved", "data": {}}), 400)
        rolled = {"alias": "a", "version": "v-1", "previous_version": "v-2", "reason": "worse"}
        refused(await train.post("/v1/events", json={"type": "model.rolled_back", "data": rolled}), 403)


async def test_a_posted_event_that_breaks_the_contract_is_refused_with_the_reason(gateway) -> None:
    async with gateway.http("admin") as http:
        unknown = refused(await http.post("/v1/events", json={"type": "model.invented", "data": {}}), 400)
        assert "training.requested" in unknown["message"]
        bad = refused(await http.post("/v1/events", json={"type": "training.requested", "data": {"job_id": 7}}), 400)
        assert bad["param"] == "data.job_id"
        fact = {"type": "training.queued", "data": {"job_id": "a"}, "subject": "b"}
        assert refused(await http.post("/v1/events", json=fact), 400)["param"] == "subject"
        fact = {"type": "training.queued", "data": {"job_id": "a"}, "specversion": "0.3"}
        assert refused(await http.post("/v1/events", json=fact), 400)["param"] == "specversion"


async def test_a_job_is_accepted_while_nats_is_away_but_a_posted_event_is_not(
    common: CommonSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(free_port(), tmp_path_factory.mktemp("nats"))
    server.start()
    client = await nats.connect(server.url)
    settings = common.model_copy(update={"nats_url": server.url})
    await topology.declare(client.jetstream(), settings)
    await client.close()
    async with running(settings, ["http://127.0.0.1:9"]) as gateway, gateway.http("admin") as http:
        sdk = gateway.sdk("train")
        file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
        server.kill()
        job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)
        answer = await http.post("/v1/events", json={"type": "training.cancel_requested", "data": {"job_id": job.id}})
        refused(answer, 503)
        assert "retry-after" in answer.headers
        server.start()
        js = (client := await asyncio.wait_for(nats.connect(server.url), 20)).jetstream()

        async def published() -> bool:
            state = (await js.stream_info(topology.EVENTS_STREAM, subjects_filter=">")).state
            return "training.requested" in (state.subjects or {})

        await eventually(published)
        await client.close()
    server.kill()

"""Webhooks by the official SDK: made, signed, tried again, given up, and never a way into the machine's own network."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from aiohttp import web
from openai import AsyncOpenAI

from shared.events import CheckpointSaved
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, candidate, eventually, rejected, rows, running, saved
from tests.http_server import http_server


@dataclass
class Endpoint:
    """A server that is called; it answers with `status`."""

    url: str = ""
    status: int = 200
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def called(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers={"location": self.url} if self.status == 302 else None)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint, app = Endpoint(), web.Application()
    app.router.add_post("/hook", endpoint.called)
    async with http_server(app) as url:
        endpoint.url = f"{url}/hook"
        yield endpoint


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    own: dict[str, Any] = {"webhook_networks": ["127.0.0.0/8"], "webhook_delays_s": [0.1, 0.1]}
    async with running(bus_settings, ["http://127.0.0.1:9"], **own) as gateway:
        yield gateway


async def new_job(sdk: AsyncOpenAI) -> str:
    file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
    return (await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)).id


async def test_a_job_that_ends_is_told_to_its_owners_endpoint_signed_and_to_no_other(gateway, endpoint) -> None:
    async with gateway.sdk("train") as one, gateway.sdk("train") as two:
        kinds: Any = ["fine_tuning.job.failed", "fine_tuning.job.cancelled", "checkpoint.saved"]
        assert set(kinds) <= set((await one.webhooks.event_types.list()).data)
        hook = await one.webhooks.create(name="mine", url=endpoint.url, event_types=kinds)
        assert (await one.webhooks.retrieve(hook.id)).model_extra.get("signing_secret") is None
        assert [known.id async for known in two.webhooks.list()] == []
        with pytest.raises(openai.NotFoundError):
            await two.webhooks.delete(hook.id)
        job, others = await new_job(one), await new_job(two)
        await gateway.say(saved(candidate(others)), rejected(candidate(others), "no"))
        await gateway.say(saved(candidate(job)), rejected(candidate(job), "too weak"))
        await eventually(lambda: len(endpoint.calls) == 2)
        told = {}
        for headers, body in endpoint.calls:
            event = one.webhooks.unwrap(body, headers, secret=hook.signing_secret)
            told[event.type] = event
            with pytest.raises(openai.InvalidWebhookSignatureError):
                one.webhooks.unwrap(body + b" ", headers, secret=hook.signing_secret)
        ended = told["fine_tuning.job.failed"]
        assert (ended.object, ended.data.id) == ("event", job)
        assert CheckpointSaved.model_validate(told["checkpoint.saved"].data.model_dump()).candidate.job_id == job
        await one.fine_tuning.jobs.cancel(await new_job(one))
        await eventually(lambda: len(endpoint.calls) == 3)
        await asyncio.sleep(0.5)
        assert len(endpoint.calls) == 3, "each is told once, and another key's never"


async def test_a_call_that_fails_is_made_again_given_up_and_can_be_made_by_hand(gateway, endpoint) -> None:
    async with gateway.sdk("train") as sdk, gateway.http("admin") as http:
        kinds: Any = ["fine_tuning.job.cancelled"]
        hook = await sdk.webhooks.create(name="flaky", url=endpoint.url, event_types=kinds)
        endpoint.status = 302
        await sdk.fine_tuning.jobs.cancel(await new_job(sdk))
        path = f"/v1/webhook_endpoints/{hook.id}/deliveries"

        async def dead() -> list[dict[str, Any]]:
            return (await http.get(path, params={"status": "dead"})).json()["data"]

        [letter] = await eventually(dead)
        assert (letter["attempts"], letter["reason"]) == (3, "the endpoint answered with 302")
        assert len({headers["webhook-id"] for headers, _ in endpoint.calls}) == 1, "the same event, told again"
        endpoint.status = 204
        assert (await http.post(f"{path}/{letter['id']}/redeliver")).status_code == 202
        await eventually(lambda: len(endpoint.calls) == 4)

        async def delivered() -> bool:
            return [call["status"] for call in (await http.get(path)).json()["data"]] == ["delivered"]

        await eventually(delivered)
        rotated = await sdk.webhooks.rotate_secret(hook.id, keep_old_secret_active_for_24_hours=True)
        tested = await sdk.webhooks.test(hook.id, event_type="fine_tuning.job.failed")
        assert tested.status_code == 204
        headers, body = endpoint.calls[-1]
        for secret in (hook.signing_secret, rotated.signing_secret):
            sdk.webhooks.verify_signature(body, headers, secret=secret)
        changed = await sdk.webhooks.update(hook.id, name="steady")
        assert (changed.name, changed.url) == ("steady", endpoint.url)
        assert (await sdk.webhooks.delete(hook.id)).deleted
        assert [known.id async for known in sdk.webhooks.list()] == []


async def test_the_machines_own_network_cannot_be_called(bus_settings, endpoint) -> None:
    port = endpoint.url.rpartition(":")[2].partition("/")[0]
    bad = [
        endpoint.url,
        f"http://localhost:{port}/hook",
        "https://127.0.0.1/hook",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/",
        "http://8.8.8.8/",
        "ftp://example.org/",
        "https://user:pass@8.8.8.8/",
        "https://",
        "https://8.8.8.8:99999/",
        "https://no-such-host.invalid/",
    ]
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway, gateway.sdk("train") as sdk:
        for url in bad:
            with pytest.raises(openai.BadRequestError) as refused:
                await sdk.webhooks.create(name="x", url=url, event_types=["fine_tuning.job.failed"])
            assert refused.value.param == "url", url
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.webhooks.create(name="x", url="https://8.8.8.8/", event_types=["batch.failed"])
        assert refused.value.param == "event_types.0"
    assert endpoint.calls == []

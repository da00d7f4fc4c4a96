"""The console over a real NATS: sign-in links, sessions and the proxy to another service."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from shared.settings import CommonSettings
from tests.gateway import Gateway, running
from tests.ports import free_port


class Upstream:
    """Another service: it tells what it got, sets cookies, streams, and counts who follows."""

    def __init__(self) -> None:
        self.port = free_port()
        self.followers = 0

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes(
            [
                web.post("/console/trainer/echo", self.echo),
                web.get("/console/trainer/cookies", self.cookies),
                web.get("/console/trainer/live", self.live),
                web.get("/v1/runs/{name:.*}", self.api),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        return runner

    async def echo(self, request: web.Request) -> web.Response:
        headers = {name: request.headers.get(name, "") for name in ("Host", "Cookie", "Origin", "X-Forwarded-Proto")}
        return web.json_response(
            {"body": (await request.read()).decode(), "query": request.rel_url.raw_query_string, **headers}
        )

    async def cookies(self, _request: web.Request) -> web.Response:
        response = web.Response(text="two")
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    async def live(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        self.followers += 1
        try:
            for number in range(1000):
                await response.write(f"data: {number}\n\n".encode())
                await asyncio.sleep(0.05)
        finally:
            self.followers -= 1
        return response

    async def api(self, request: web.Request) -> web.Response:
        return web.json_response({"path": request.raw_path})


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    served = Upstream()
    runner = await served.start()
    yield served
    await runner.cleanup()


@pytest.fixture
async def gateway(bus_settings: CommonSettings, upstream: Upstream) -> AsyncIterator[Gateway]:
    services = {"trainer": f"http://127.0.0.1:{upstream.port}", "review": f"http://127.0.0.1:{free_port()}"}
    async with running(bus_settings, [], console_services=services) as gateway:
        yield gateway


async def browser(gateway: Gateway) -> httpx.AsyncClient:
    """A client that signed in with a link, as a browser would."""
    async with gateway.http("train") as api:
        url = (await api.post("/v1/sign_in_links")).raise_for_status().json()["url"]
    client = httpx.AsyncClient(base_url=gateway.url, headers={"origin": gateway.url}, timeout=30)
    answer = await client.post("/console/sign-in", data={"link": url.partition("link=")[2], "next": ""})
    assert answer.status_code == 303, answer.text
    return client


async def test_a_link_of_the_api_signs_in_once_and_the_session_counts_for_the_api(gateway: Gateway) -> None:
    async with gateway.http("train") as api:
        answer = (await api.post("/v1/sign_in_links")).raise_for_status().json()
    form = {"link": answer["url"].partition("link=")[2]}
    async with httpx.AsyncClient(base_url=gateway.url, headers={"origin": gateway.url}) as client:
        answers = await asyncio.gather(*(client.post("/console/sign-in", data=form) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [303, 401, 401, 401, 401]
        client.cookies = next(answer.cookies for answer in answers if answer.status_code == 303)
        assert (await client.get("/console/")).status_code == 200
        assert (await client.get("/v1/fine_tuning/jobs")).status_code == 200
        assert (await client.get("/v1/keys")).status_code == 403
        # The file of this event does not exist; what counts is that the session may post it, from this origin alone.
        event = {"type": "training.cancel_requested", "data": {"job_id": "ftjob-none"}}
        assert (await client.post("/v1/events", json=event)).status_code == 404
        elsewhere = {"origin": "https://evil.example"}
        assert (await client.post("/v1/events", json=event, headers=elsewhere)).status_code == 403


async def test_sign_out_everywhere_ends_every_session_of_the_key(gateway: Gateway) -> None:
    client = await browser(gateway)
    assert (await client.post("/console/sign-out-everywhere")).status_code == 303
    await asyncio.sleep(2.5)
    assert (await client.get("/v1/fine_tuning/jobs")).status_code == 401
    await client.aclose()


async def test_the_proxy_passes_body_query_cookies_and_host_on(gateway: Gateway) -> None:
    client = await browser(gateway)
    client.cookies.set("a", "b")
    answer = (await client.post("/console/trainer/echo?x=%2F1&y=2", content=b"x" * 100_000)).json()
    assert len(answer["body"]) == 100_000
    assert answer["query"] == "x=%2F1&y=2"
    assert "assay_session=" in answer["Cookie"]
    assert f"http://{answer['Host']}" == gateway.url == answer["Origin"]
    assert answer["X-Forwarded-Proto"] == "http"
    cookies = await client.get("/console/trainer/cookies")
    assert cookies.headers.get_list("set-cookie") == ["one=1; Path=/", "two=2; Path=/"]
    assert (await client.get("/v1/runs/a%2Fb?limit=2")).json() == {"path": "/v1/runs/a%2Fb?limit=2"}
    await client.aclose()


async def test_a_stream_comes_as_it_is_sent_and_ends_upstream_when_the_browser_leaves(
    gateway: Gateway, upstream: Upstream
) -> None:
    client = await browser(gateway)
    async with client.stream("GET", "/console/trainer/live") as response:
        chunks = response.aiter_text()
        assert (await anext(chunks)).startswith("data: 0")
        assert upstream.followers == 1
    async with asyncio.timeout(10):
        while upstream.followers:
            await asyncio.sleep(0.05)
    await client.aclose()


async def test_a_service_that_is_away_is_a_page_a_box_or_an_error_of_the_api(gateway: Gateway) -> None:
    client = await browser(gateway)
    page = await client.get("/console/review/")
    assert page.status_code == 503
    assert "<html" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    box = await client.get("/console/review/", headers={"hx-request": "true"})
    assert box.status_code == 503
    assert box.text.lstrip().startswith('<div class="note warn"')
    assert 'hx-get="/console/review' in box.text
    api = await client.get("/v1/reviews")
    assert api.status_code == 503
    assert api.json()["error"]["code"] == "service_unavailable"
    await client.aclose()

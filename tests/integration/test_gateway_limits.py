"""Limits and usage of keys, over several gateways and real MongoDB."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from services.gateway.access.domain.limits import Tally
from services.gateway.access.domain.usage import Usage
from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.common.domain.errors import RateLimited
from shared.security import Key
from shared.settings import CommonSettings
from shared.store import Store
from tests.gateway import BASE, Gateway, eventually, running
from tests.scripted_engine import PROMPT_TOKENS, WORDS, ScriptedEngine, deployed, scripted_engine

ASK: dict[str, Any] = {"model": BASE, "messages": [{"role": "user", "content": "hi"}]}
TOKENS = PROMPT_TOKENS + len(WORDS)


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as engine:
        yield engine


@pytest.fixture
async def gateway(bus_settings: CommonSettings, engine: ScriptedEngine) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [engine.url], settle_s=0.1) as gateway, gateway.http() as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready)
        yield gateway


async def new_key(gateway: Gateway, **limits: Any) -> tuple[str, dict[str, str]]:
    """A key's id, and the header that carries its secret."""
    async with gateway.http("admin") as http:
        made = (await http.post("/v1/keys", json={"name": "app", "scopes": ["infer"], **limits})).json()
    return made["id"], {"authorization": f"Bearer {made['secret']}"}


async def test_a_keys_requests_are_bounded_over_two_gateways_and_callers_are_told_when_to_come(
    gateway, engine, bus_settings
) -> None:
    _, header = await new_key(gateway, requests_per_minute=6)
    async with running(bus_settings, [engine.url], settle_s=0.1) as other, gateway.http() as one, other.http() as two:
        await eventually(lambda: _serves(other))
        answers = []
        for n in range(14):
            answers.append(await (one, two)[n % 2].post("/v1/chat/completions", json=ASK, headers=header))
            await asyncio.sleep(0.15)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses in (Counter({200: 6, 429: 8}), Counter({200: 7, 429: 7})), "a minute of the clock may end between"
    assert answers[0].headers["x-ratelimit-limit-requests"] == "6"
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "5"
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    sdk = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=header["authorization"][7:], max_retries=0)
    with pytest.raises(openai.RateLimitError):
        await sdk.chat.completions.create(**ASK)


async def _serves(gateway: Gateway) -> bool:
    async with gateway.http() as http:
        return (await http.get("/readyz")).status_code == 200


async def test_tokens_and_a_budget_are_bounded_and_outlive_the_gateway(gateway, engine, bus_settings) -> None:
    _, tokens = await new_key(gateway, tokens_per_minute=1000)
    _, budget = await new_key(gateway, token_budget=3 * TOKENS - 1)
    async with gateway.http() as http:
        first = await http.post("/v1/chat/completions", json=ASK, headers=tokens)
        second = await http.post("/v1/chat/completions", json=ASK, headers=tokens)
        left = [int(answer.headers["x-ratelimit-remaining-tokens"]) for answer in (first, second)]
        # While the first was under way what it might use was reserved; the second sees what it did use.
        assert left[0] - left[1] == TOKENS
        large = {**ASK, "max_completion_tokens": 990}
        assert (await http.post("/v1/chat/completions", json=large, headers=tokens)).status_code == 429
        for _ in range(3):
            assert (await http.post("/v1/chat/completions", json=ASK, headers=budget)).status_code == 200
        spent = await http.post("/v1/chat/completions", json=ASK, headers=budget)
        assert (spent.status_code, spent.json()["error"]["code"]) == (429, "insufficient_quota")
        await asyncio.sleep(0.3)
    async with running(bus_settings, [engine.url]) as later, later.http() as http:
        again = await http.post("/v1/chat/completions", json=ASK, headers=budget)
        assert (again.status_code, again.json()["error"]["code"]) == (429, "insufficient_quota")


async def test_usage_is_kept_by_key_and_version_for_whole_answers_and_streams(gateway, engine, bus_settings) -> None:
    mine, header = await new_key(gateway)
    async with gateway.sdk("infer") as sdk, gateway.http("admin") as admin, gateway.http() as http:
        made = await deployed(gateway, bus_settings, sdk, 1, "shop")
        for body in (ASK, {**ASK, "stream": True}, {**ASK, "model": "shop"}):
            answer = await http.post("/v1/chat/completions", json=body, headers=header)
            assert answer.status_code == 200
            assert b'"usage"' not in answer.content or "stream" not in body, "it was asked for by the gateway alone"
        usage = (await http.get("/v1/usage", headers=header)).json()["data"]
        one = {"object": "usage", "key_id": mine, "day": time.strftime("%Y-%m-%d", time.gmtime())}
        sums = {"requests": 2, "prompt_tokens": 2 * PROMPT_TOKENS, "completion_tokens": 6, "total_tokens": 2 * TOKENS}
        half = {name: count // 2 for name, count in sums.items()}
        assert usage == [{**one, "version": BASE, **sums}, {**one, "version": made.version, **half}]
        assert (await http.get("/v1/usage?key_id=key_1", headers=header)).status_code == 403
        by_key = (await admin.get("/v1/usage", params={"group_by": "key_id", "key_id": mine})).json()["data"]
        assert [row["requests"] for row in by_key] == [3]
        assert (await admin.get("/v1/usage?start=2026-02-01&end=2026-01-01")).status_code == 400


@dataclass
class Clock:
    """A time that stands still unless it is moved, at the beginning of a minute."""

    at: float = (time.time() // 60) * 60 + 1

    def __call__(self) -> float:
        return self.at


async def test_a_burst_on_many_gateways_at_once_lets_in_little_more_than_the_limit(common) -> None:
    store = Store(common.mongo_url, f"{common.database_prefix}gateway", "gateway")
    tallies, usage = store.collection("tallies", Tally), store.collection("usage", Usage)
    clock = Clock()
    ledgers = [UsageLedger(tallies=tallies, usage_rows=usage, flush_s=0.5, now=clock) for _ in range(4)]
    for ledger in (*ledgers, *ledgers):
        await ledger.begin()
    key = Key(id="key_1", name="k", sha256="", scopes=("infer",), created_at=0, requests_per_minute=200)

    async def burst(ledger: UsageLedger, key: Key) -> int:
        let_in = 0
        for _ in range(200):
            try:
                await ledger.admit(key, 1)
                let_in += 1
            except RateLimited:
                continue
        return let_in

    one_by_one = []
    for ledger in ledgers:
        clock.at += 0.6
        one_by_one.append(await burst(ledger, key))
        # As its loop does twice a second.
        await ledger.flush()
    assert one_by_one == [200, 0, 0, 0], "what is older than a settlement is looked up before it is used"
    other = key.model_copy(update={"id": "key_2"})
    for ledger in (*ledgers, *ledgers):
        await ledger.flush()
    at_once = await asyncio.gather(*(burst(ledger, other) for ledger in ledgers))
    assert 200 <= sum(at_once) <= 350, "at most (2 - 1/4) times the limit, as ADR 0015 says"
    store.close()


async def test_a_keys_posted_events_are_bounded_apart_from_its_chat_requests(gateway: Gateway) -> None:
    _, header = await new_key(gateway, events_per_minute=2, requests_per_minute=1)
    event = {"type": "feedback.recorded", "data": {"completion_id": "chatcmpl-1", "model": BASE, "rating": "good"}}
    async with gateway.http() as http:
        answers = [await http.post("/v1/events", json=event, headers=header) for _ in range(5)]
        chat = await http.post("/v1/chat/completions", json=ASK, headers=header)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 1 <= len(refused) <= 3, "a minute of the clock may end between"
    assert "may post 2 events per minute" in refused[-1].json()["error"]["message"]
    assert int(refused[-1].headers["retry-after"]) >= 1
    assert chat.status_code == 200

"""A stable name's requests shared out among its versions: by weight, by caller, by header, and to a shadow."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.events import Candidate
from shared.settings import CommonSettings
from tests.gateway import Gateway, eventually, running
from tests.scripted_engine import ScriptedEngine, deployed, scripted_engine

URL = "/v1/models/shop/routing"
Served = tuple[Gateway, ScriptedEngine, Candidate, Candidate]


@pytest.fixture
async def served(bus_settings: CommonSettings) -> AsyncIterator[Served]:
    """A gateway, its engine, and the two versions of the name `shop`: the old one and the current one."""
    async with scripted_engine() as engine, running(bus_settings, [engine.url]) as gateway:
        sdk = gateway.sdk("infer")
        old = await deployed(gateway, bus_settings, sdk, 1, "shop")
        yield gateway, engine, old, await deployed(gateway, bus_settings, sdk, 2, "shop")


async def versions(gateway: Gateway, count: int, headers: dict[str, str] | None = None, **body: Any) -> Counter[str]:
    """Which version answered, and how often."""
    asked = {"model": "shop", "messages": [{"role": "user", "content": "hi"}], **body}
    async with gateway.http("infer") as http:
        answers = [await http.post("/v1/chat/completions", json=asked, headers=headers) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {200}
    return Counter(answer.headers["x-assay-version"] for answer in answers)


async def test_weights_rules_and_callers_decide_and_a_second_gateway_follows(served, bus_settings) -> None:
    gateway, engine, old, new = served
    split = [{"version": "current", "weight": 1}, {"version": "previous", "weight": 1}]
    rule = {"header": "X-Variant", "equals": "old", "version": old.version}
    async with gateway.http("admin") as http:
        wish = {"split": split, "rules": [rule], "sticky": "user"}
        routing = (await http.put(URL, json=wish)).json()
        assert (routing["number"], routing["alias"], routing["sticky"]) == (1, "shop", "user")
        assert (await http.get(URL)).json() == routing
    drawn = await versions(gateway, 40)
    assert set(drawn) == {old.version, new.version}, "without a user each request is drawn"
    assert set(await versions(gateway, 4, {"x-variant": "old"})) == {old.version}
    users = [await versions(gateway, 3, user=f"user-{n}") for n in range(12)]
    assert all(len(seen) == 1 for seen in users)
    assert {version for seen in users for version in seen} == {old.version, new.version}
    async with running(bus_settings, [engine.url]) as another:

        async def agrees() -> bool:
            async with another.http() as http:
                if (await http.get("/readyz")).status_code != 200:
                    return False
            # Not before it has seen what the engine holds.
            return [set(await versions(another, 1, user=f"user-{n}")) for n in range(12)] == list(map(set, users))

        await eventually(agrees)
        async with another.http("admin") as http:
            assert (await http.delete(URL)).json()["number"] == 2
            assert [r["number"] for r in (await http.get(URL)).json()["earlier"]] == [1, 0]

        async def ended() -> bool:
            return set(await versions(gateway, 8)) == {new.version}

        await eventually(ended)


async def test_a_shadow_gets_copies_whose_answers_are_compared_and_thrown_away(served) -> None:
    gateway, engine, old, new = served
    async with gateway.http("admin") as http:
        await http.put(URL, json={"shadow": {"version": "previous"}})
        assert set(await versions(gateway, 3)) == {new.version}
        assert set(await versions(gateway, 2, stream=True)) == {new.version}

        async def compared() -> bool:
            text = (await http.get("/metrics")).text
            counts = [line for line in text.splitlines() if line.startswith("assay_shadow_requests_total")]
            return len(counts) == 2 and all(old.version in line for line in counts)

        await eventually(compared)
        engine.say = lambda _: "the same"
        await versions(gateway, 1)
        wanted = f'assay_shadow_requests_total{{alias="shop",outcome="same",version="{old.version}"}} 1.0'

        async def same() -> bool:
            return wanted in (await http.get("/metrics")).text

        await eventually(same)
    assert engine.asked[f"assay-{old.version}"] == 6


async def test_a_share_whose_version_no_engine_holds_is_answered_by_the_current_one(served) -> None:
    gateway, engine, old, _ = served
    async with gateway.http("admin") as http:
        await http.put(URL, json={"split": [{"version": old.version, "weight": 1}]})
        assert set(await versions(gateway, 2)) == {old.version}
        engine.loaded.remove(f"assay-{old.version}")
        await asyncio.sleep(0.5)
        # It is loaded again meanwhile; nobody was refused.
        assert sum((await versions(gateway, 6)).values()) == 6
        await http.post("/v1/models/shop/rollback")
        assert (await http.get(URL)).json()["split"] == [], "who turns a name back ends its split"
        assert set(await versions(gateway, 3)) == {old.version}


async def test_a_routing_that_cannot_be_followed_is_refused_by_name(served) -> None:
    gateway, *_ = served
    bad: list[tuple[Any, str | None]] = [
        ({"split": [{"version": "v-none", "weight": 1}]}, "split.0.version"),
        ({"split": [{"version": "current", "weight": -1}]}, "split.0.weight"),
        ({"split": [{"version": "current", "weight": 0}]}, None),
        ({"rules": [{"header": "Authorization", "equals": "x", "version": "current"}]}, "rules.0.header"),
        ({"sticky": "moon"}, "sticky"),
        ({"shadow": {"version": "previous", "percent": 101}}, "shadow.percent"),
        ({"weights": {}}, "weights"),
        ([], None),
    ]
    async with gateway.http("admin") as http, gateway.http("train", "review", "infer") as other:
        for wish, param in bad:
            answer = await http.put(URL, json=wish)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), wish
        assert (await http.put("/v1/models/none/routing", json={})).status_code == 404
        assert (await http.get(URL)).json()["number"] == 0
        for call in (other.get(URL), other.put(URL, json={}), other.delete(URL)):
            assert (await call).status_code == 403

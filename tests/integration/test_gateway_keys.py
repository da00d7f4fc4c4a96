"""API keys by HTTP: made, bounded, rotated, disabled and taken away, over real NATS and MongoDB."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.keys import SharedKeys
from shared.security import Keyring, NotAuthenticated
from shared.settings import CommonSettings
from tests.gateway import Gateway, running

KEYS = "/v1/keys"


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.http("admin") as http:
        yield http


async def made(admin: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await admin.post(KEYS, json={"name": "app", "scopes": ["infer"], **asked})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def status_with(admin: httpx.AsyncClient, secret: str) -> int:
    headers = {"authorization": f"Bearer {secret}"}
    return (await admin.get("/v1/models", headers=headers)).status_code


async def test_a_keys_secret_is_shown_once_and_its_digest_never(admin) -> None:
    key = await made(admin, token_budget=1000)
    assert await status_with(admin, key["secret"]) == 200
    shown = (await admin.get(f"{KEYS}/{key['id']}")).json()
    assert (shown["object"], shown["scopes"], shown["token_budget"]) == ("api_key", ["infer"], 1000)
    listed = (await admin.get(KEYS)).json()
    assert shown in listed["data"]
    for answer in (shown, listed):
        assert key["secret"] not in str(answer)
        assert "sha256" not in str(answer)


async def test_a_change_holds_at_once_and_null_takes_a_limit_away(admin) -> None:
    key = await made(admin, requests_per_minute=5)
    path = f"{KEYS}/{key['id']}"
    changed = (await admin.patch(path, json={"requests_per_minute": None, "disabled": True})).json()
    assert (changed["requests_per_minute"], changed["disabled"], changed["name"]) == (None, True, "app")
    assert await status_with(admin, key["secret"]) == 401
    await admin.patch(path, json={"disabled": False, "expires_at": int(time.time()) - 1})
    assert await status_with(admin, key["secret"]) == 401
    await admin.patch(path, json={"expires_at": None})
    assert await status_with(admin, key["secret"]) == 200


async def test_a_new_key_that_has_expired_already_is_refused(admin) -> None:
    past = int(time.time()) - 1
    answer = await admin.post(KEYS, json={"name": "app", "scopes": ["infer"], "expires_at": past})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "expires_at"
    assert f"'expires_at' is {past}, and it is " in error["message"]


async def test_a_rotated_secret_is_good_during_its_grace_and_not_longer(admin) -> None:
    key = await made(admin)
    path = f"{KEYS}/{key['id']}/rotate"
    second = (await admin.post(path, json={"grace_s": 5})).json()["secret"]
    assert await status_with(admin, key["secret"]) == 200
    assert await status_with(admin, second) == 200
    async with asyncio.timeout(20):
        while await status_with(admin, key["secret"]) == 200:
            await asyncio.sleep(0.2)
    assert await status_with(admin, key["secret"]) == 401
    third = (await admin.post(path, json={"grace_s": 0})).json()["secret"]
    assert await status_with(admin, second) == 401
    assert await status_with(admin, third) == 200


async def test_a_deleted_key_is_gone_even_when_a_file_still_holds_it(gateway, admin) -> None:
    secret = gateway.key("infer")
    key = gateway.keyring.authenticate(f"Bearer {secret}")
    assert await status_with(admin, secret) == 200
    assert (await admin.delete(f"{KEYS}/{key.id}")).json() == {"id": key.id, "object": "api_key", "deleted": True}
    assert await status_with(admin, secret) == 401
    assert (await admin.get(f"{KEYS}/{key.id}")).status_code == 404
    assert key.id not in [listed["id"] for listed in (await admin.get(KEYS)).json()["data"]]


async def test_another_service_follows_what_the_gateway_states_of_keys(gateway, admin, bus_settings, tmp_path) -> None:
    other = SharedKeys(gateway.bus, Keyring(tmp_path / "other.json"))
    key = await made(admin)
    header = f"Bearer {key['secret']}"
    await other.catch_up()
    assert other.keyring.authenticate(header).id == key["id"]
    await admin.delete(f"{KEYS}/{key['id']}")
    await other.catch_up()
    with pytest.raises(NotAuthenticated):
        other.keyring.authenticate(header)


async def test_wrong_wishes_are_refused_by_name_and_only_administrators_may_ask(gateway, admin) -> None:
    key = await made(admin)
    path = f"{KEYS}/{key['id']}"
    for body, param in (
        ({"name": "x"}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": ["infer"], "token_budget": -1}, "token_budget"),
        ({"name": "x", "scopes": ["infer"], "sha256": "0" * 64}, "sha256"),
    ):
        answer = await admin.post(KEYS, json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert (await admin.post(f"{path}/rotate", json={"grace_s": -1})).status_code == 400
    for strange in ("key_*", "key_0.>", "nothing", "key_" + "0" * 16):
        assert (await admin.get(f"{KEYS}/{strange}")).status_code == 404
        assert (await admin.delete(f"{KEYS}/{strange}")).status_code == 404
    async with gateway.http("train", "review", "infer") as others:
        for method, where in (("GET", KEYS), ("POST", KEYS), ("PATCH", path), ("DELETE", path)):
            assert (await others.request(method, where, json={})).status_code == 403


async def test_an_administrator_cannot_lock_itself_out(gateway) -> None:
    secret = gateway.key("admin")
    own = gateway.keyring.authenticate(f"Bearer {secret}")
    async with httpx.AsyncClient(base_url=gateway.url, headers={"authorization": f"Bearer {secret}"}) as http:
        for change in ({"disabled": True}, {"scopes": ["infer"]}, {"expires_at": 1}):
            answer = await http.patch(f"{KEYS}/{own.id}", json=change)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "own_key")
        assert (await http.delete(f"{KEYS}/{own.id}")).status_code == 400

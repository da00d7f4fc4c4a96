"""Policies by HTTP: owners, readers, revisions, deletion, bindings."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar.testing import AsyncTestClient

from services.review.app import build
from services.review.config import Settings
from shared.artifacts import Artifacts
from shared.events import AliasBound, ModelApproved, ModelRejected, PolicyDeleted, PolicyPublished, ReviewScored
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.review import CONFIGURATION, GATE, eventually_published, handled, headers_of, id_of, published, send
from tests.unit.review.evidence import evaluation, finish

LENIENT = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.2}]}
STRICTER = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.3}]}


@pytest.fixture
async def client(bus_settings: CommonSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncTestClient(build(Settings(common=bus_settings))) as client:
        yield client


@pytest.fixture
def keys(keyring: Keyring) -> dict[str, dict[str, str]]:
    scopes = {"first": "train", "second": "train", "reviewer": "review", "admin": "admin"}
    return {name: headers_of(keyring, name, scope) for name, scope in scopes.items()}


async def test_a_second_key_cannot_replace_or_delete_the_policy_of_the_first(client, keys, keyring) -> None:
    path = "/v1/policies/lenient"
    assert (await client.put(path, json=LENIENT, headers=keys["first"])).json()["revision"] == 1
    refused = await client.put(path, json=STRICTER, headers=keys["second"])
    assert refused.status_code == 403
    assert "only its owner and admin" in refused.json()["detail"]
    assert (await client.delete(path, headers=keys["second"])).status_code == 403
    assert (await client.put(path, json=STRICTER, headers=keys["admin"])).json()["revision"] == 2
    found = (await client.get(path, headers=keys["second"])).json()
    owner = id_of(keyring, "first")
    assert (found["owner"], found["gates"][0]["at_least"]) == (owner, 0.3)


async def test_only_admin_changes_a_policy_that_comes_with_assay(client, keys) -> None:
    assert (await client.put("/v1/policies/automatic", json=LENIENT, headers=keys["first"])).status_code == 403
    assert (await client.put("/v1/policies/automatic", json=LENIENT, headers=keys["admin"])).status_code == 200
    assert (await client.put("/v1/policies/automatic", json=STRICTER, headers=keys["first"])).status_code == 403
    assert (await client.delete("/v1/policies/automatic", headers=keys["admin"])).status_code == 403


async def test_each_revision_keeps_its_author_and_time_and_the_same_content_makes_none(client, keys, keyring) -> None:
    path = "/v1/policies/lenient"
    await client.put(path, json=LENIENT, headers=keys["first"])
    assert (await client.put(path, json=LENIENT, headers=keys["first"])).json()["revision"] == 1
    await client.put(path, json=STRICTER, headers=keys["admin"])
    ids = {name: id_of(keyring, name) for name in ("first", "admin")}
    revisions = (await client.get(f"{path}/revisions", headers=keys["reviewer"])).json()
    assert [each["author"] for each in revisions] == [ids["first"], ids["admin"]]
    assert all(each["created_at"] > 1_700_000_000 for each in revisions)


async def test_a_policy_that_makes_no_sense_is_refused_by_field(client, keys) -> None:
    bad = {"mode": "automatic", "gates": [{"metric": "exact_match"}]}
    answer = await client.put("/v1/policies/lenient", json=bad, headers=keys["first"])
    assert answer.status_code == 400
    assert "exactly one of at_least" in answer.text
    assert (await client.put("/v1/policies/a%20b", json=LENIENT, headers=keys["first"])).status_code == 400


async def test_a_policy_with_readers_is_hidden_from_others_and_from_their_jobs(
    client, keys, keyring, bus_settings
) -> None:
    private = {**LENIENT, "readers": []}
    await client.put("/v1/policies/private", json=private, headers=keys["first"])
    assert (await client.get("/v1/policies/private", headers=keys["first"])).status_code == 200
    assert (await client.get("/v1/policies/private", headers=keys["second"])).status_code == 404
    names = [each["name"] for each in (await client.get("/v1/policies", headers=keys["second"])).json()]
    assert names == ["automatic", "guarded", "hybrid"]
    await send(bus_settings, evaluation(10, 0.9, policy="private"), finish(10))
    [rejected] = await eventually_published(bus_settings, ModelRejected)
    assert rejected.verdict.reason == "there is no policy 'private' for this job"


async def test_a_run_keeps_the_revision_that_it_began_with(client, keys, bus_settings) -> None:
    path = "/v1/policies/lenient"
    await client.put(path, json=LENIENT, headers=keys["first"])
    await send(bus_settings, evaluation(10, 0.25, policy="lenient"))
    await handled(bus_settings)
    await client.put(path, json=STRICTER, headers=keys["first"])
    await send(bus_settings, finish(10))
    _, approved = await eventually_published(bus_settings, ReviewScored, ModelApproved)
    assert approved.verdict.policy == "lenient"
    run = (await client.get("/v1/verdicts/job-1", headers=keys["first"])).json()
    assert run["run"]["policy"]["revision"] == 1


async def test_a_policy_is_deleted_only_while_no_undecided_job_uses_it(client, keys, bus_settings) -> None:
    path = "/v1/policies/lenient"
    await client.put(path, json=LENIENT, headers=keys["first"])
    await send(bus_settings, evaluation(10, 0.25, policy="lenient"))
    await handled(bus_settings)
    used = await client.delete(path, headers=keys["first"])
    assert used.status_code == 409
    assert "1 undecided jobs" in used.json()["detail"]
    await send(bus_settings, finish(10))
    await eventually_published(bus_settings, ReviewScored, ModelApproved)
    assert (await client.delete(path, headers=keys["first"])).status_code == 204
    assert (await client.get(path, headers=keys["first"])).status_code == 404
    assert (await client.put(path, json=LENIENT, headers=keys["second"])).status_code == 403, "the name stays owned"
    assert (await client.put(path, json=LENIENT, headers=keys["first"])).json()["revision"] == 2


async def test_a_bound_name_has_its_policy_whatever_the_job_asks_for(client, keys, bus_settings) -> None:
    strict = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.99}]}
    await client.put("/v1/policies/strict", json=strict, headers=keys["admin"])
    await client.put("/v1/policies/lenient", json=LENIENT, headers=keys["first"])
    binding = {"policy": "strict"}
    assert (await client.put("/v1/names/shop/policy", json=binding, headers=keys["first"])).status_code == 403
    assert (await client.put("/v1/names/shop/policy", json=binding, headers=keys["admin"])).status_code == 200
    assert (await client.delete("/v1/policies/strict", headers=keys["admin"])).status_code == 409
    event = evaluation(10, 0.9, policy="lenient")
    named = event.model_copy(update={"candidate": event.candidate.model_copy(update={"suffix": "shop"})})
    await send(bus_settings, named, finish(10))
    _, rejected = await eventually_published(bus_settings, ReviewScored, ModelRejected)
    assert rejected.verdict.policy == "strict"


async def test_a_trial_says_what_a_policy_would_have_decided_and_changes_nothing(client, keys, bus_settings) -> None:
    await send(bus_settings, evaluation(10, 0.6), finish(10))
    await eventually_published(bus_settings, ReviewScored, ModelRejected)
    content = {"mode": "automatic", "gates": [GATE]}
    [trial] = (await client.post("/v1/policies/trial", json=content, headers=keys["first"])).json()
    assert (trial["decided"]["outcome"], trial["would"]["outcome"]) == ("rejected", "approved")
    assert (await client.get("/v1/verdicts/job-1", headers=keys["first"])).json()["status"] == "rejected"


async def test_changes_of_policies_and_bindings_are_published(client, keys, keyring, bus_settings) -> None:
    await client.put("/v1/policies/lenient", json=LENIENT, headers=keys["first"])
    await client.put("/v1/policies/lenient", json=STRICTER, headers=keys["admin"])
    await client.put("/v1/names/shop/policy", json={"policy": "lenient"}, headers=keys["admin"])
    await client.put("/v1/names/shop/policy", json={"policy": None}, headers=keys["admin"])
    await client.delete("/v1/policies/lenient", headers=keys["first"])
    async with asyncio.timeout(20):
        while len(found := await published(bus_settings, *CONFIGURATION[:3])) < 5:
            await asyncio.sleep(0.05)
    revisions = [each for each in found if isinstance(each, PolicyPublished)]
    assert [each.revision for each in revisions] == [1, 2]
    assert {each.owner for each in revisions} == {id_of(keyring, "first")}
    content = json.loads(Artifacts(bus_settings.artifacts).read(revisions[1].content))
    assert content["gates"][0]["at_least"] == 0.3
    assert sum(isinstance(each, AliasBound) for each in found) == 2
    [deleted] = [each for each in found if isinstance(each, PolicyDeleted)]
    assert (deleted.revision, deleted.author) == (2, id_of(keyring, "first"))

"""A review service in the test's process, and what tests say to it and hear from it."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx

from shared import events, topology
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope, EventData
from shared.events import ModelApproved, ModelRejected, ReviewScored
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.jetstream import jetstream, stored_facts
from tests.unit.review.evidence import evaluation, finish, sample_lines

BEST = {"accuracy": 5, "politeness": 5, "usefulness": 5}
WORST = {"accuracy": 1, "politeness": 1, "usefulness": 1}
GATE = {"metric": "exact_match", "at_least": 0.5}
OF_A_RUN = (ReviewScored, ModelApproved, ModelRejected)
CONFIGURATION = ("policy.published", "policy.deleted", "alias.bound", "policy.pinned", "audit.recorded")


def headers_of(keyring: Keyring, name: str, *scopes: Any) -> dict[str, str]:
    """The headers of a new key."""
    return {"authorization": f"Bearer {keyring.create(name, scopes)}"}


def id_of(keyring: Keyring, name: str) -> str:
    """The id of the key with this name."""
    [found] = [key.id for key in keyring.keys() if key.name == name]  # noqa: SIM118
    return found


async def send(settings: CommonSettings, *facts: EventData) -> None:
    """Publish without message ids, so that only the service itself can tell a repetition."""
    async with jetstream(settings) as js:
        for fact in facts:
            envelope = Envelope.of(fact, "test").model_copy(update={"id": str(uuid4())})
            await js.publish(fact.type, envelope.model_dump_json().encode())


async def published(settings: CommonSettings, *types: str) -> list[EventData]:
    """Everything that review has published, in order; without `types` all but configuration."""
    found: list[EventData] = []
    async with jetstream(settings) as js:
        for message in await stored_facts(js):
            envelope = Envelope.model_validate_json(message.data or b"")
            wanted = envelope.type in types if types else envelope.type not in CONFIGURATION
            if envelope.source == "urn:assay:review" and wanted:
                found.append(events.parse(envelope))
    return found


async def eventually_published(settings: CommonSettings, *kinds: type[EventData]) -> list[EventData]:
    """Wait for exactly these events; those of a run, which is one aggregate, in this order."""
    async with asyncio.timeout(20):
        while len(found := await published(settings)) < len(kinds):
            await asyncio.sleep(0.05)
    assert Counter(map(type, found)) == Counter(kinds)
    assert [type(fact) for fact in found if isinstance(fact, OF_A_RUN)] == [k for k in kinds if k in OF_A_RUN]
    return [next(found.pop(at) for at, fact in enumerate(found) if type(fact) is kind) for kind in kinds]


async def handled(settings: CommonSettings) -> None:
    """Wait until review has no event left to handle."""
    async with jetstream(settings) as js, asyncio.timeout(20):
        for consumer in ("review-eval_done", "review-training_finished"):
            while (
                info := await js.consumer_info(topology.EVENTS_STREAM, consumer)
            ).num_pending or info.num_ack_pending:
                await asyncio.sleep(0.05)


async def opened_review(
    client: httpx.AsyncClient, settings: CommonSettings, admin: dict[str, str], items: int = 3, **policy: Any
) -> str:
    """The path of a new review under a policy that people decide by."""
    content = {"mode": "hybrid", "gates": [GATE], "reviewers_wanted": 2, **policy}
    answer = await client.put("/v1/policies/people", json=content, headers=admin)
    assert answer.status_code == 200, answer.text
    samples = Artifacts(settings.artifacts).put_bytes(sample_lines(items))
    await send(settings, evaluation(10, 0.9, policy="people", samples=samples), finish(10))
    async with asyncio.timeout(20):
        while not (found := (await client.get("/v1/reviews", headers=admin)).json()):
            await asyncio.sleep(0.05)
    return f"/v1/reviews/{found[0]['id']}"


async def score(
    client: httpx.AsyncClient, path: str, item: str, headers: dict[str, str], scores: dict[str, Any] = BEST
) -> httpx.Response:
    """Score one item of a review."""
    return await client.post(f"{path}/items/{item}/scores", json={"scores": scores}, headers=headers)


async def score_all(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], scores: dict[str, Any] = BEST
) -> list[str]:
    """Score item after item until nothing is left; the ids in the order in which they came."""
    order: list[str] = []
    while (item := (await client.post(f"{path}/next", headers=headers)).json().get("item")) is not None:
        assert (await score(client, path, item["id"], headers, scores)).status_code == 200
        order.append(item["id"])
    return order


async def eventually_status(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: str
) -> dict[str, Any]:
    """Wait until a review or run has this status."""
    async with asyncio.timeout(20):
        while (found := (await client.get(path, headers=headers)).json())["status"] != status:
            await asyncio.sleep(0.05)
    return found

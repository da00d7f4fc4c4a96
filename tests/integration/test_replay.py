"""A replay of all facts into empty databases rebuilds what the five services know."""

import asyncio
import json
import re
from typing import Any

import pytest

from shared import replay
from shared.garbage_collection.garbage_collection import collect
from shared.retention import DAY_S
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.five_services import admin_key, five_services, stored, without
from tests.five_services_work import configure, open_reviews, review_by_people, serve_versions, upload_and_train
from tests.gateway import eventually
from tests.jetstream import jetstream
from tests.process import command
from tests.scripted_engine import scripted_engine

STORE = ("revision", "outbox", "unsent", "saved_at", "traceparent", "rollout")
# Each collection that a replay rebuilds, with the fields of it that no fact carries.
REBUILT: dict[str, tuple[str, ...]] = {
    # A file is compared with the suites that are known when it is checked again.
    "ingest.datasets": ("seconds", "findings", "suites"),
    "ingest.templates": (),
    "ingest.suites": (),
    "ingest.pools": (),
    "ingest.used_files": (),
    "ingest.deleted_files": (),
    # A job that failed before its training fails again.
    "trainer.runs": ("leased_until", "finished_at"),
    "trainer.datasets": (),
    "trainer.pools": (),
    "trainer.names": (),
    "trainer.options": (),
    "evaluator.evaluations": (),
    "evaluator.suites": (),
    "evaluator.folder_suites": (),
    "evaluator.production": (),
    "evaluator.job_rubrics": (),
    "review.policies": (),
    "review.bindings": (),
    # How people agreed, criterion by criterion, and what else led to the verdict is in review's database alone.
    "review.runs": ("heard_at", "human", "advice", "choice", "restored", "policy_name", "override", "policy"),
    "review.evaluations": (),
    "review.reviews": ("opened_at", "closed_at", "deadline_at", "human", "log", "items", "policy"),
    # A file of results is written again, with the time of the event that made it complete.
    "gateway.files": ("request_digest", "created_at", "at"),
    "gateway.jobs": ("request_digest", "ended_at", "started"),
    "gateway.messages": ("at",),
    "gateway.checkpoints": ("at",),
    "gateway.claims": (),
    "gateway.permissions": (),
    "gateway.configurations": (),
    "gateway.deployments": ("attempts", "missing", "next_try_at", "refusals", "reason", "failure", "told"),
    "gateway.aliases": (),
    "gateway.routes": (),
    "gateway.pools": (),
    "gateway.audit": (),
}
# What is in no fact, and why; docs/running.md says what an operator does about each.
NOT_REBUILT = {
    "review.items": "what a closed review asked; the items of open reviews are drawn again",
    "review.scorecards": "the scores of single people; facts hold their means",
    "review.members": "who is on a panel",
    "gateway.usage": "metered use by key and day",
    "gateway.tallies": "counts of the limits of the current minute and day",
    "gateway.event_tallies": "counts of posted events of the current minute",
    "gateway.leases": "leases of running processes",
    "gateway.cursors": "how far webhooks were delivered; webhooks hold secrets and are registered again",
    "gateway.preferences": "what a person chose in the console",
    "gateway.posted_events": "ids of posted events, by which repeated posts are refused",
    "ingest.inbox": "handled events",
    "trainer.inbox": "handled events",
    "evaluator.inbox": "handled events",
    "review.inbox": "handled events",
    "gateway.inbox": "handled events",
    "ingest.sweeps": "which process removed old documents last",
    "trainer.sweeps": "which process removed old documents last",
    "evaluator.sweeps": "which process removed old documents last",
    "review.sweeps": "which process removed old documents last",
    "gateway.sweeps": "which process removed old documents last",
}
A_TIME = 1e9
"""Larger numbers are Unix times."""


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """By collection and document: what was stored, and what the replay made of it."""
    found: dict[str, Any] = {}
    for name, fields in REBUILT.items():
        one, other = before.get(name, {}), after.get(name, {})
        for key in sorted(one.keys() | other.keys()):
            was, now = (without(documents.get(key), (*STORE, *fields)) for documents in (one, other))
            if not same(was, now):
                found[f"{name}/{key}"] = changed_fields(was, now)
    return found


def same(was: Any, now: Any) -> bool:
    """Equal, but for fractions of times. Of what was deleted, only that counts."""
    if isinstance(was, dict) and isinstance(now, dict):
        if was.get("deleted") and now.get("deleted"):
            return True
        return was.keys() == now.keys() and all(same(was[name], now[name]) for name in was)
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(same, was, now))
    if isinstance(was, int | float) and isinstance(now, int | float) and min(was, now) > A_TIME:
        return abs(was - now) <= 2
    return was == now


def changed_fields(was: Any, now: Any) -> Any:
    if not isinstance(was, dict) or not isinstance(now, dict):
        return {"was": was, "now": now}
    return {name: (was.get(name), now.get(name)) for name in {*was, *now} if not same(was.get(name), now.get(name))}


@pytest.mark.timeout(300)
async def test_a_replay_into_empty_databases_rebuilds_all_five_services(
    bus_settings: CommonSettings, keyring: Keyring
) -> None:
    key = admin_key(keyring)
    async with scripted_engine() as engine:
        async with five_services(bus_settings, key, engine.url) as first:
            await configure(first)
            await upload_and_train(first)
            await serve_versions(first, bus_settings)
            await review_by_people(first, bus_settings)
            await first.idle()
            await asyncio.sleep(1)
            served = (await first.http.get("/v1/models")).json()
            before = await stored(bus_settings)
            shortened = command(bus_settings, "shared.archive", "shorten", "--days", "0")
            assert re.search(r"[1-9]\d* events were removed", shortened.stdout), shortened.stderr
        refused = command(bus_settings, "shared.replay", *replay.SERVICES)
        assert (refused.returncode, "shared.archive restore" in refused.stderr) == (1, True)
        # What a replay reads must not be garbage.
        await collect(bus_settings, 1 / DAY_S, lambda _: None, remove=True)
        restored = command(bus_settings, "shared.archive", "restore")
        assert "the stream holds all" in restored.stdout, restored.stderr
        unlisted = before.keys() - REBUILT.keys() - NOT_REBUILT.keys()
        assert not unlisted, f"name each collection in one of the two lists: {unlisted}"
        async with jetstream(bus_settings) as js:
            await replay.start_over(js, replay.SERVICES)
        empty = bus_settings.model_copy(update={"database_prefix": f"{bus_settings.database_prefix}again_"})
        async with five_services(empty, key, engine.url) as second:
            await second.idle()

            async def rebuilt() -> bool:
                return not differences(before, await stored(empty))

            try:
                await eventually(rebuilt, timeout_s=20)
            except TimeoutError:
                found = differences(before, await stored(empty))
                pytest.fail(json.dumps(found, indent=1, default=str))
            assert same((await second.http.get("/v1/models")).json(), served)
            assert len(await open_reviews(second)) == 1
            letters = (await second.http.get("/v1/dead_letters")).json()["data"]
            assert letters == []

"""Events followed live as server-sent events: filters, resuming, and the events that a key may see."""

from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.events import EVENTS, TrainingMetrics, TrainingProgress
from shared.settings import CommonSettings
from tests.followed_events import following
from tests.gateway import BASE, Gateway, candidate, eventually, review, rows, running, saved


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"], max_event_streams=3) as gateway:
        yield gateway


async def new_job(gateway: Gateway, http: httpx.AsyncClient) -> str:
    form = {"files": {"file": ("a.jsonl", rows(12))}, "data": {"purpose": "fine-tune"}}
    file = (await http.post("/v1/files", **form)).json()["id"]
    return (await http.post("/v1/fine_tuning/jobs", json={"model": BASE, "training_file": file})).json()["id"]


async def test_a_key_follows_its_own_events_by_type_and_job_and_an_administrator_all(gateway) -> None:
    async with gateway.http("train") as one, gateway.http("train") as two, gateway.http("admin") as admin:
        async with (
            following(one) as mine,
            following(two, params={"type": ["checkpoint.saved", "review.opened"]}) as others,
            following(admin) as every,
        ):
            assert (await one.get("/v1/events")).status_code == 429, "three are open, and no more are let in"
            jobs = [await new_job(gateway, one), await new_job(gateway, two)]
            # An administrator also hears the audit entries of these requests.
            await eventually(lambda: len(mine) == 2 and len(every) >= 4)
            await gateway.say(*(saved(candidate(job)) for job in jobs), review(candidate(jobs[1])))
            await eventually(lambda: len(mine) == 3 and len(others) == 2)
            heard = {"dataset.uploaded": 2, "training.requested": 2, "checkpoint.saved": 2, "review.opened": 1}
            await eventually(lambda: Counter(told["type"] for told in every) >= Counter(heard))
        assert [told["type"] for told in mine] == ["dataset.uploaded", "training.requested", "checkpoint.saved"]
        assert [told["type"] for told in others] == ["checkpoint.saved", "review.opened"]
        assert all(told["event"] == told["type"] and told["specversion"] == "1.0" for told in every)
        # It resumes where it ended, for one job only.
        since = {"last-event-id": mine[0]["place"]}
        async with following(one, headers=since, params={"job_id": jobs[0]}) as again:
            await eventually(lambda: len(again) == 2)
        assert [told["place"] for told in again] == [told["place"] for told in mine[1:]]
        # The newest place holds for progress too, which has its own stream.
        async with following(one, headers={"last-event-id": mine[-1]["place"]}) as later:
            step = TrainingProgress(
                job_id=jobs[0], attempt=1, step=1, total_steps=2, metrics=TrainingMetrics(step=1, train_loss=1.0)
            )
            await gateway.say(step)
            await eventually(lambda: [told["type"] for told in later] == ["training.progress"])
        async with following(one, headers={"last-event-id": later[0]["place"]}) as later:
            await gateway.say(step.model_copy(update={"step": 2}))
            await eventually(lambda: [told["data"]["step"] for told in later] == [2])
        async with following(one, headers={"last-event-id": "999999999"}) as later:
            await gateway.say(saved(candidate(jobs[0], step=40)))
            await eventually(lambda: len(later) == 1)


async def test_what_cannot_be_followed_is_refused(gateway) -> None:
    async with gateway.http("train") as http, gateway.http("infer", "review") as other:
        unknown = await http.get("/v1/events?type=checkpoint.saved,moon.risen")
        assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "type")
        for place in ("x", "-1", "9" * 30):
            assert (await http.get("/v1/events", headers={"last-event-id": place})).status_code == 400
        assert (await other.get("/v1/events")).status_code == 403
    assert "training.progress" in EVENTS

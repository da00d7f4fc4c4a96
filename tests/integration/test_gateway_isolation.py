"""A key's files and jobs are its own: to other keys they are not there, administrators see all."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from shared.cloudevents import Envelope
from shared.events import DatasetUploaded, TrainingCancelRequested, TrainingRequested, TrainingSpec
from shared.security import digest_of
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, candidate, eventually, review, rows, running, saved
from tests.versioned_engine import CHAT, Engine


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


async def owned(sdk: AsyncOpenAI) -> tuple[str, str]:
    """The ids of a file and of a job that the key of this SDK made."""
    file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
    return file.id, (await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)).id


async def lists(sdk: AsyncOpenAI) -> tuple[set[str], set[str]]:
    files = {file.id async for file in sdk.files.list(limit=1)}
    return files, {job.id async for job in sdk.fine_tuning.jobs.list(limit=1)}


async def test_anothers_files_and_jobs_are_not_there(gateway) -> None:
    async with gateway.sdk("train") as one, gateway.sdk("train", "review", "infer") as two:
        file, job = await owned(one)
        jobs = two.fine_tuning.jobs
        for call in (
            two.files.retrieve(file),
            two.files.content(file),
            two.files.delete(file),
            jobs.retrieve(job),
            jobs.cancel(job),
            jobs.list_events(job),
            jobs.checkpoints.list(job),
            two.get(f"/fine_tuning/jobs/{job}/report", cast_to=dict[str, Any]),
        ):
            with pytest.raises(openai.NotFoundError):
                await call
        for call in (two.files.list(after=file), jobs.list(after=job), jobs.create(model=BASE, training_file=file)):
            with pytest.raises(openai.BadRequestError):
                await call
        assert await lists(two) == (set(), set())
        assert (await one.fine_tuning.jobs.retrieve(job)).status == "validating_files"


async def test_lists_hold_a_keys_own_and_an_administrators_all(gateway) -> None:
    async with gateway.sdk("train") as one, gateway.sdk("train") as two, gateway.sdk("admin") as admin:
        made = [await owned(one), await owned(two), await owned(two)]
        files, jobs = ({ids[place] for ids in made} for place in (0, 1))
        assert await lists(one) == ({made[0][0]}, {made[0][1]})
        assert await lists(two) == ({made[1][0], made[2][0]}, {made[1][1], made[2][1]})
        assert await lists(admin) == (files, jobs)
        assert (await admin.fine_tuning.jobs.cancel(made[0][1])).status == "cancelled"


async def test_a_posted_event_cannot_reach_into_what_is_anothers(gateway) -> None:
    async with gateway.sdk("train") as one, gateway.http("train") as other:
        file, job = await owned(one)
        spec = TrainingSpec(base_model=BASE)
        for fact in (
            TrainingCancelRequested(job_id=job),
            TrainingCancelRequested(job_id="ftjob-unknown"),
            TrainingRequested(job_id=job, training_file="file-x", spec=spec),
            TrainingRequested(job_id="ftjob-new", training_file=file, spec=spec),
            DatasetUploaded(file_id=file, filename="a", artifact=candidate("x").adapter),
        ):
            body = Envelope.of(fact, "test").model_dump(mode="json", exclude_none=True)
            answer = await other.post("/v1/events", json=body)
            assert answer.status_code == 404, (fact, answer.text)


async def test_a_stable_name_cannot_be_taken_over_by_anothers_job(gateway) -> None:
    async with gateway.sdk("train") as one, gateway.sdk("train") as two, gateway.http("train") as posting:
        [file, _], [other, _] = await owned(one), await owned(two)
        first = await one.fine_tuning.jobs.create(model=BASE, training_file=file, suffix="shop")
        assert (await one.fine_tuning.jobs.create(model=BASE, training_file=file, suffix="shop")).id != first.id
        with pytest.raises(openai.BadRequestError) as refused:
            await two.fine_tuning.jobs.create(model=BASE, training_file=other, suffix="shop")
        assert (refused.value.param, refused.value.code) == ("suffix", "suffix_taken")
        spec = TrainingSpec(base_model=BASE, suffix="shop")
        for fact in (
            TrainingRequested(job_id="ftjob-new", training_file="file-x", spec=spec),
            DatasetUploaded(file_id="file-new", filename="a", artifact=gateway.artifacts.put_bytes(b"{}"), train=spec),
        ):
            answer = await posting.post("/v1/events", json=Envelope.of(fact, "test").model_dump(mode="json"))
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "suffix_taken")
        async with gateway.sdk("admin") as admin:
            assert await admin.fine_tuning.jobs.create(model=BASE, training_file=other, suffix="shop")


async def test_checkpoints_and_models_that_wait_are_not_there_for_other_keys(gateway) -> None:
    async with gateway.sdk("train", "infer") as one, gateway.sdk("train", "infer") as two, gateway.sdk("infer") as app:
        _, job = await owned(one)
        made = candidate(job)
        await gateway.say(saved(made), review(made))

        async def called(sdk: AsyncOpenAI, model: str) -> int:
            with pytest.raises(openai.APIStatusError) as refused:
                await sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
            return refused.value.status_code

        async def known() -> bool:
            return (await one.fine_tuning.jobs.retrieve(job)).fine_tuned_model is not None

        await eventually(known)
        model = (await one.fine_tuning.jobs.retrieve(job)).fine_tuned_model or ""
        # Their owner is told the reason: no engine runs here, and people did not decide yet.
        assert [await called(one, name) for name in (made.model_name, model)] == [503, 403]
        assert [await called(sdk, name) for sdk in (two, app) for name in (made.model_name, model)] == [404] * 4


async def test_an_owner_lets_other_keys_call_a_checkpoint_and_takes_that_back(gateway) -> None:
    async with gateway.sdk("train", "infer") as one, gateway.sdk("train", "infer") as two, gateway.http("infer") as app:
        _, job = await owned(one)
        made = candidate(job)
        await gateway.say(saved(made))
        digests = [digest_of(secret) for secret in (two.api_key, app.headers["authorization"][7:])]
        known = gateway.keyring.keys()
        ids = [key.id for key in known if key.sha256 in digests]
        permissions = one.fine_tuning.checkpoints.permissions

        async def saved_there() -> bool:
            return bool((await one.fine_tuning.jobs.checkpoints.list(job)).data)

        async def status() -> int:
            asked = {"model": made.model_name, "messages": [{"role": "user", "content": "hi"}]}
            return (await app.post("/v1/chat/completions", json=asked)).status_code

        await eventually(saved_there)
        assert await status() == 404
        given = await permissions.create(made.model_name, project_ids=ids)
        assert {permission.project_id for permission in given.data} == set(ids)
        assert len((await permissions.retrieve(made.model_name)).data) == 2
        assert await status() == 503, "no engine runs here, but it may be called"
        with pytest.raises(openai.NotFoundError):
            await two.fine_tuning.checkpoints.permissions.create(made.model_name, project_ids=ids)
        for permission in given.data:
            await permissions.delete(permission.id, fine_tuned_model_checkpoint=made.model_name)
        assert (await permissions.retrieve(made.model_name)).data == []
        assert await status() == 404
        again = await permissions.create(made.model_name, project_ids=ids)
        assert {permission.id for permission in again.data} == {permission.id for permission in given.data}
        assert await status() == 503


async def test_who_posts_a_request_owns_its_job_whatever_the_event_says(gateway) -> None:
    spec = TrainingSpec(base_model=BASE)
    fact = TrainingRequested(job_id="ftjob-posted", training_file="file-x", spec=spec, owner="key_of_another")
    async with gateway.http("train") as poster, gateway.http("train") as other:
        body = Envelope.of(fact, "test").model_dump(mode="json", exclude_none=True)
        assert (await poster.post("/v1/events", json=body)).status_code == 202

        async def shown() -> bool:
            return (await poster.get("/v1/fine_tuning/jobs/ftjob-posted")).status_code == 200

        await eventually(shown)
        assert (await other.get("/v1/fine_tuning/jobs/ftjob-posted")).status_code == 404


async def test_no_request_reaches_an_engines_control_calls_or_a_path(bus_settings, tmp_path) -> None:
    engine = Engine(tmp_path)
    await engine.start()
    async with running(bus_settings, [engine.url]) as gateway, gateway.http("admin") as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready)
        calls = ("pause", "resume", "collective_rpc", "reset_prefix_cache", "update_weight_version", "weight_info")
        adapters = ("v1/load_lora_adapter", "v1/unload_lora_adapter")
        for call in (*calls, *adapters, *(f"v1/models/..%2f..%2f{call}" for call in calls), "v1/pools/..%2fpause"):
            for method in ("GET", "POST", "PUT"):
                answer = await http.request(method, f"/{call}", json={"lora_name": "x", "lora_path": "/etc"})
                assert 400 <= answer.status_code < 500, (method, call, answer.text)
        for model in ("../pause", "/etc/passwd", f"{BASE}/../x", "file:///etc/passwd"):
            asked = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            assert (await http.post(CHAT, json=asked)).status_code == 404
        assert engine.steps == []
    await engine.die()

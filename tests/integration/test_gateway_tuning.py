"""The gateway's files and jobs over real NATS and MongoDB, by the official SDK."""

from collections.abc import AsyncIterator
from functools import partial

import openai
import pytest
from openai import AsyncOpenAI

from shared.cloudevents import Envelope
from shared.events import (
    DatasetReady,
    DatasetRejected,
    Failure,
    Hyperparameters,
    RowError,
    Split,
    Splits,
    TrainingFinished,
    TrainingMetrics,
    TrainingProgress,
    TrainingQueued,
    TrainingRequested,
)
from shared.settings import CommonSettings
from tests.gateway import (
    BASE,
    Gateway,
    candidate,
    eventually,
    rejected,
    review,
    rows,
    running,
    saved,
    scored,
)


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


@pytest.fixture
def sdk(gateway: Gateway) -> AsyncOpenAI:
    return gateway.sdk("train", "infer")


async def upload(sdk: AsyncOpenAI, name: str = "rows.jsonl", count: int = 12) -> str:
    return (await sdk.files.create(file=(name, rows(count)), purpose="fine-tune")).id


async def status_is(sdk: AsyncOpenAI, job_id: str, status: str) -> None:
    async def reached() -> bool:
        return (await sdk.fine_tuning.jobs.retrieve(job_id)).status == status

    await eventually(reached)


def progress(job_id: str, step: int) -> TrainingProgress:
    metrics = TrainingMetrics(step=step, train_loss=2.5 / step, learning_rate=1e-3)
    return TrainingProgress(
        job_id=job_id, attempt=1, step=step, total_steps=40, metrics=metrics, estimated_finish=1_900_000_000
    )


async def test_files_are_kept_listed_in_pages_and_given_back(sdk) -> None:
    ids = [await upload(sdk, f"{n}.jsonl", 12 + n) for n in range(3)]
    assert (await sdk.files.content(ids[0])).content == rows(12)
    assert [f.id async for f in sdk.files.list(limit=2)] == ids[::-1]
    assert [f.id async for f in sdk.files.list(limit=1, order="asc")] == ids
    found = await sdk.files.retrieve(ids[1])
    assert (found.filename, found.bytes, found.purpose, found.status) == (
        "1.jsonl",
        len(rows(13)),
        "fine-tune",
        "uploaded",
    )
    assert (await sdk.files.delete(ids[1])).deleted
    with pytest.raises(openai.NotFoundError):
        await sdk.files.retrieve(ids[1])
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.fine_tuning.jobs.create(model=BASE, training_file=ids[1])
    assert refused.value.param == "training_file"


async def test_a_file_that_was_checked_says_so_and_one_with_bad_rows_names_the_lines(gateway, sdk) -> None:
    good, bad = await upload(sdk), await upload(sdk)
    split = Split(artifact=candidate("x").adapter, rows=4)
    errors = (
        RowError(line=5, field="messages[1].role", reason="is 'bot'"),
        RowError(line=9, field="", reason="is not JSON"),
    )
    await gateway.say(
        DatasetReady(file_id=good, rows=12, splits=Splits(train=split, validation=split, test=split)),
        DatasetRejected(file_id=bad, rows=12, bad_rows=2, errors=errors),
    )
    await eventually(lambda: _file_has(sdk, good, "processed"))
    await eventually(lambda: _file_has(sdk, bad, "error"))
    details = (await sdk.files.retrieve(bad)).status_details
    assert details == "2 of 12 rows are bad: line 5, messages[1].role: is 'bot'; line 9: is not JSON"
    early = await sdk.fine_tuning.jobs.create(model=BASE, training_file=bad)
    assert early.status == "failed"
    assert early.error is not None
    assert (early.error.param, early.error.message) == ("training_file", details)


async def _file_has(sdk: AsyncOpenAI, file_id: str, status: str) -> bool:
    return (await sdk.files.retrieve(file_id)).status == status


async def test_a_job_whose_file_is_found_bad_later_fails_and_names_the_lines(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=await upload(sdk))
    assert job.status == "validating_files"
    error = RowError(line=7, field="messages", reason="is empty")
    await gateway.say(DatasetRejected(file_id=job.training_file, rows=12, bad_rows=1, errors=(error,)))
    await status_is(sdk, job.id, "failed")
    failed = await sdk.fine_tuning.jobs.retrieve(job.id)
    assert failed.error is not None
    assert "line 7, messages: is empty" in failed.error.message
    # What ended stays ended.
    await gateway.say(TrainingQueued(job_id=job.id), progress(job.id, 1))
    events = sdk.fine_tuning.jobs.list_events
    await eventually(lambda: _told(events, job.id, "Step 1/40"))
    assert (await sdk.fine_tuning.jobs.retrieve(job.id)).status == "failed"


async def _told(events, job_id: str, text: str) -> bool:
    return any(text in event.message for event in (await events(job_id, limit=100)).data)


async def test_a_job_shows_openais_object_and_its_way_through_training_and_review(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(
        model=BASE,
        training_file=await upload(sdk),
        suffix="address",
        seed=7,
        metadata={"policy": "guarded", "team": "a.b"},
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": "auto", "lora_rank": 8}},
        },
    )
    assert job.hyperparameters.n_epochs == 3
    assert job.hyperparameters.batch_size == "auto"
    assert job.method is not None
    assert job.method.type == "supervised"
    assert job.metadata == {"policy": "guarded", "team": "a.b"}
    assert (job.seed, job.fine_tuned_model, job.finished_at, job.error) == (7, None, None, None)
    made = candidate(job.id)
    finished = TrainingFinished(job_id=job.id, status="succeeded", checkpoints=(20,), trained_tokens=1234)
    await gateway.say(TrainingQueued(job_id=job.id), progress(job.id, 10), progress(job.id, 20), saved(made))
    await gateway.say(scored(made), finished)
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "Training finished"))
    # Another consumer hears of the steps.
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "Step 20"))
    waiting = await sdk.fine_tuning.jobs.retrieve(job.id)
    assert (waiting.status, waiting.estimated_finish, waiting.trained_tokens) == ("running", 1_900_000_000, 1234)
    await gateway.say(review(made))
    await status_is(sdk, job.id, "succeeded")
    done = await sdk.fine_tuning.jobs.retrieve(job.id)
    assert done.fine_tuned_model == made.model_name.removesuffix(":ckpt-step-20")
    await gateway.say(rejected(made, "two reviewers said no"))
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "two reviewers said no"))
    assert (await sdk.fine_tuning.jobs.retrieve(job.id)).status == "succeeded"
    [checkpoint] = (await sdk.fine_tuning.jobs.checkpoints.list(job.id)).data
    assert (checkpoint.step_number, checkpoint.metrics.train_loss) == (20, 0.5)
    assert checkpoint.fine_tuned_model_checkpoint == made.model_name
    events = [event async for event in sdk.fine_tuning.jobs.list_events(job.id, limit=2)]
    assert len({event.id for event in events}) == len(events) == 10
    assert [e.data["train_loss"] for e in events if e.type == "metrics"] == [0.125, 0.25]
    assert any(e.message.endswith("exact_match 0.900 (base 0.000)") for e in events)
    async with gateway.http("admin") as http:
        report = (await http.get(f"/v1/fine_tuning/jobs/{job.id}/report")).json()
    assert report["base_scores"]["exact_match"]["value"] == 0.0
    assert report["checkpoints"][0]["scores"]["exact_match"]["value"] == 0.9
    assert report["verdict"]["rules"][0]["reason"] == "two reviewers said no"
    with pytest.raises(openai.PermissionDeniedError) as refused:
        await sdk.chat.completions.create(model=done.fine_tuned_model, messages=[{"role": "user", "content": "hi"}])
    assert refused.value.code == "model_not_approved"


async def test_a_job_goes_on_from_a_fine_tuned_model_or_a_checkpoint_by_its_name(gateway, sdk) -> None:
    file = await upload(sdk)
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file, suffix="address")
    early, late = candidate(job.id, 10), candidate(job.id, 20)
    finished = TrainingFinished(job_id=job.id, status="succeeded", checkpoints=(10, 20))
    await gateway.say(saved(early), saved(late), scored(early), scored(late), finished, review(late))
    await status_is(sdk, job.id, "succeeded")
    await eventually(lambda: _has_checkpoints(sdk, job.id, 2))
    model = (await sdk.fine_tuning.jobs.retrieve(job.id)).fine_tuned_model
    for name, step in ((model, 20), (early.model_name, 10)):
        following = await sdk.fine_tuning.jobs.create(model=name, training_file=file)
        asked = await eventually(partial(_request, gateway, following.id))
        assert asked.spec.base_model == following.model == BASE
        assert (asked.spec.hyperparameters.start_job, asked.spec.hyperparameters.start_step) == (job.id, step)
    twice = {"type": "supervised", "supervised": {"hyperparameters": {"start_job": job.id}}}
    with pytest.raises(openai.BadRequestError, match="already names the checkpoint to start from"):
        await sdk.fine_tuning.jobs.create(model=model, training_file=file, method=twice)
    stranger = gateway.sdk("train")
    for name in (model, early.model_name):
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await stranger.fine_tuning.jobs.create(model=name, training_file=await upload(stranger))


async def _has_checkpoints(sdk: AsyncOpenAI, job_id: str, count: int) -> bool:
    return len((await sdk.fine_tuning.jobs.checkpoints.list(job_id)).data) == count


async def _request(gateway: Gateway, job_id: str) -> TrainingRequested | None:
    return next((told for told in await gateway.heard(TrainingRequested) if told.job_id == job_id), None)


async def test_a_model_that_is_rejected_without_a_review_fails_its_job_with_the_reasons(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=await upload(sdk))
    await gateway.say(rejected(candidate(job.id), "exact match 0.2 is below 0.8"))
    await status_is(sdk, job.id, "failed")
    failed = await sdk.fine_tuning.jobs.retrieve(job.id)
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("model_not_approved", "exact match 0.2 is below 0.8")


async def test_a_failed_training_gives_its_own_reason(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=await upload(sdk))
    error = Failure(code="diverged", message="the loss became NaN at step 3")
    await gateway.say(TrainingFinished(job_id=job.id, status="failed", error=error))
    await status_is(sdk, job.id, "failed")
    assert (await sdk.fine_tuning.jobs.retrieve(job.id)).error.message == "the loss became NaN at step 3"


async def test_jobs_are_cancelled_once_and_listed_in_pages(sdk) -> None:
    file_id = await upload(sdk)
    ids = [(await sdk.fine_tuning.jobs.create(model=BASE, training_file=file_id)).id for _ in range(3)]
    assert [job.id async for job in sdk.fine_tuning.jobs.list(limit=2)] == ids[::-1]
    cancelled = await sdk.fine_tuning.jobs.cancel(ids[0])
    assert cancelled.status == "cancelled"
    assert cancelled.finished_at
    assert (await sdk.fine_tuning.jobs.cancel(ids[0])).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        await sdk.fine_tuning.jobs.list(after="ftjob-nothing")


async def test_the_same_idempotency_key_gives_the_same_object(sdk) -> None:
    again = {"Idempotency-Key": "once"}
    first, second = [
        await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune", extra_headers=again) for _ in range(2)
    ]
    assert first.id == second.id
    jobs = [
        await sdk.fine_tuning.jobs.create(model=BASE, training_file=first.id, extra_headers=again) for _ in range(2)
    ]
    assert jobs[0].id == jobs[1].id
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.fine_tuning.jobs.create(model=BASE, training_file=first.id, seed=3, extra_headers=again)
    assert refused.value.code == "idempotency_key_reused"


async def test_events_told_twice_change_nothing(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=await upload(sdk))
    made = candidate(job.id)
    facts = [TrainingQueued(job_id=job.id), progress(job.id, 1), saved(made), scored(made)]
    await gateway.say(*facts)
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "scored"))
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "Checkpoint created"))
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "Step 1/40"))
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "queued"))
    before = (await sdk.fine_tuning.jobs.list_events(job.id, limit=100)).data
    for fact in facts:
        # Another envelope id: neither JetStream nor the inbox can tell that this was said before.
        await gateway.bus.publish(Envelope.of(fact, "test").model_copy(update={"id": f"again-{fact.type}"}))
    await gateway.say(progress(job.id, 2))
    await eventually(lambda: _told(sdk.fine_tuning.jobs.list_events, job.id, "Step 2/40"))
    after = (await sdk.fine_tuning.jobs.list_events(job.id, limit=100)).data
    assert len(after) == len(before) + 1


async def test_the_step_metrics_of_a_job_are_a_file_that_can_be_downloaded(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=await upload(sdk))
    assert job.result_files == []
    made = candidate(job.id)
    await gateway.say(progress(job.id, 10), saved(made))
    await gateway.say(TrainingFinished(job_id=job.id, status="succeeded", checkpoints=(20,)), progress(job.id, 20))
    expected = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n10,0.25,,,\n20,0.5,,0.6,\n"

    async def whole() -> bool:
        known = await sdk.fine_tuning.jobs.retrieve(job.id)
        return bool(known.result_files) and (await sdk.files.content(known.result_files[0])).content == expected

    await eventually(whole)
    [file_id] = (await sdk.fine_tuning.jobs.retrieve(job.id)).result_files
    file = await sdk.files.retrieve(file_id)
    assert (file.purpose, file.status, file.bytes) == ("fine-tune-results", "processed", len(expected))
    assert [known.id async for known in sdk.files.list(purpose="fine-tune-results")] == [file_id]
    assert file_id not in [known.id async for known in sdk.files.list(purpose="fine-tune")]
    with pytest.raises(openai.NotFoundError):
        await gateway.sdk("train").files.content(file_id)
    with pytest.raises(openai.BadRequestError, match="holds the metrics of a job"):
        await sdk.fine_tuning.jobs.create(model=BASE, training_file=file_id)


async def test_a_job_with_a_nul_in_its_metadata_or_with_contradicting_hyperparameters_is_refused(sdk) -> None:
    file_id = await upload(sdk)
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}
    for asked, param in (
        ({"metadata": {"a\x00b": "c"}}, "metadata"),
        ({"hyperparameters": {"n_epochs": 2}, "method": method}, "hyperparameters.n_epochs"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.fine_tuning.jobs.create(model=BASE, training_file=file_id, **asked)
        assert refused.value.param == param


async def test_auto_is_replaced_by_the_figures_that_the_job_uses(gateway, sdk) -> None:
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=await upload(sdk))
    assert job.hyperparameters.n_epochs == "auto"
    used = Hyperparameters(n_epochs=2, batch_size=8, learning_rate_multiplier=1, lora_rank=8)
    await gateway.say(TrainingQueued(job_id=job.id, hyperparameters=used))
    await status_is(sdk, job.id, "queued")
    known = await sdk.fine_tuning.jobs.retrieve(job.id)
    assert (known.hyperparameters.n_epochs, known.hyperparameters.batch_size) == (2, 8)
    assert known.method.supervised.hyperparameters.n_epochs == 2

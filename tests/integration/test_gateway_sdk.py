"""The official SDK's own calls, blocking and async, with arguments that a developer gets wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, rows, running

QUESTION: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


def whole_round(client: OpenAI) -> None:
    """Every call that the SDK has for files, jobs and models and that needs no engine."""
    file = client.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
    assert client.files.retrieve(file.id) == file
    assert [known.id for known in client.files.list(purpose="fine-tune")] == [file.id]
    assert list(client.files.list(purpose="batch")) == []
    assert client.files.content(file.id).read() == rows(12)
    with client.files.with_streaming_response.content(file.id) as streamed:
        assert b"".join(streamed.iter_bytes()) == rows(12)
    job = client.fine_tuning.jobs.create(
        model=BASE, training_file=file.id, validation_file=file.id, hyperparameters={"n_epochs": "auto"}
    )
    assert (job.object, job.status, job.organization_id) == ("fine_tuning.job", "validating_files", "assay")
    assert client.fine_tuning.jobs.retrieve(job.id).validation_file == file.id
    assert [known.id for known in client.fine_tuning.jobs.list()] == [job.id]
    assert [event.type for event in client.fine_tuning.jobs.list_events(job.id)] == ["message"]
    assert list(client.fine_tuning.jobs.checkpoints.list(job.id)) == []
    held_and_found(client, job.id)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.fine_tuning.jobs.pause(job.id)
    assert client.files.delete(file.id).deleted
    assert [model.id for model in client.models.list()] == [BASE]
    assert client.models.retrieve(BASE).owned_by == "assay"


def held_and_found(client: OpenAI, job_id: str) -> None:
    """A job is paused and goes on, each said once however often it is asked for; it is found by its metadata."""
    jobs = client.fine_tuning.jobs
    assert [jobs.pause(job_id).model_extra["paused"] for _ in range(2)] == [True, True]
    assert jobs.resume(job_id).model_extra["paused"] is False
    told = [event.message for event in jobs.list_events(job_id)]
    assert (told.count("The job was paused"), told.count("The job was resumed")) == (1, 1)
    file = jobs.retrieve(job_id).training_file
    tagged = jobs.create(model=BASE, training_file=file, metadata={"team": "a", "kind.of": "$x"})
    assert [job.id for job in jobs.list(metadata={"team": "a"})] == [tagged.id]
    assert [job.id for job in jobs.list(metadata={"team": "a", "kind.of": "$x"}, limit=1)] == [tagged.id]
    assert [job.id for job in jobs.list(metadata={"team": "b"})] == []
    assert [job.id for job in jobs.list(extra_query={"metadata": "null"})] == [job_id]
    jobs.cancel(tagged.id)


async def test_the_blocking_sdk_does_a_whole_round(gateway) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key("train", "infer"), max_retries=0) as client:
        await asyncio.to_thread(whole_round, client)


BadCall = Callable[[AsyncOpenAI], Any]
BAD_CALLS: list[tuple[BadCall, type[openai.APIStatusError], str | None]] = [
    (lambda s: s.files.create(file=("a", b"x"), purpose="vision"), openai.BadRequestError, "purpose"),
    (lambda s: s.files.create(file=("a", b""), purpose="fine-tune"), openai.BadRequestError, "file"),
    (lambda s: s.files.list(limit=0), openai.BadRequestError, "limit"),
    (lambda s: s.files.list(after="file-none"), openai.BadRequestError, "after"),
    (lambda s: s.files.list(order="up"), openai.BadRequestError, "order"),
    (lambda s: s.files.retrieve("file-none"), openai.NotFoundError, "id"),
    (lambda s: s.files.retrieve("../jobs"), openai.NotFoundError, None),
    (lambda s: s.files.retrieve("\x00"), openai.NotFoundError, "id"),
    (lambda s: s.files.content("file-none"), openai.NotFoundError, "id"),
    (lambda s: s.files.delete("file-none"), openai.NotFoundError, "id"),
    (lambda s: s.fine_tuning.jobs.retrieve("none"), openai.NotFoundError, "fine_tuning_job_id"),
    (lambda s: s.fine_tuning.jobs.cancel("none"), openai.NotFoundError, "fine_tuning_job_id"),
    (lambda s: s.fine_tuning.jobs.list_events("none"), openai.NotFoundError, "fine_tuning_job_id"),
    (lambda s: s.fine_tuning.jobs.checkpoints.list("none"), openai.NotFoundError, "fine_tuning_job_id"),
    (lambda s: s.fine_tuning.jobs.list(limit=101), openai.BadRequestError, "limit"),
    (lambda s: s.models.retrieve("gpt-0"), openai.NotFoundError, "model"),
    (lambda s: s.models.delete(BASE), openai.APIStatusError, None),
    (lambda s: s.chat.completions.create(model="gpt-0", messages=QUESTION), openai.NotFoundError, "model"),
    (lambda s: s.chat.completions.create(model=BASE, messages=[]), openai.BadRequestError, "messages"),
    (lambda s: s.chat.completions.create(model=BASE, messages=QUESTION, n=0), openai.BadRequestError, "n"),
]


async def test_a_bad_call_raises_the_sdks_own_error_and_names_the_parameter(gateway) -> None:
    async with gateway.sdk("train", "infer") as sdk:
        for number, (call, error, param) in enumerate(BAD_CALLS):
            with pytest.raises(error) as refused:
                await call(sdk)
            assert refused.value.param == param, (number, refused.value.message)
            assert 400 <= refused.value.status_code < 500


BAD_JOBS: list[tuple[dict[str, Any], str]] = [
    ({"model": "gpt-0"}, "model"),
    ({"model": ""}, "model"),
    ({"training_file": "file-none"}, "training_file"),
    ({"validation_file": "file-none"}, "validation_file"),
    ({"suffix": "no spaces"}, "suffix"),
    ({"suffix": BASE}, "suffix"),
    ({"seed": -1}, "seed"),
    ({"metadata": {"x" * 65: "y"}}, "metadata"),
    ({"metadata": {str(n): "y" for n in range(17)}}, "metadata"),
    ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
    ({"method": {"type": "reinforcement"}}, "method.type"),
    ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"batch_size": "many"}}, "hyperparameters.batch_size"),
    ({"extra_body": {"invented": 1}}, "invented"),
]


async def test_a_job_that_cannot_be_made_is_refused_with_the_parameter_that_is_wrong(gateway) -> None:
    sdk = gateway.sdk("train")
    file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
    for asked, param in BAD_JOBS:
        with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as refused:
            await sdk.fine_tuning.jobs.create(**{"model": BASE, "training_file": file.id, **asked})
        assert refused.value.param == param, asked
    assert [job.id async for job in sdk.fine_tuning.jobs.list()] == []


async def test_a_wrong_key_and_a_missing_scope_are_the_sdks_own_errors(gateway) -> None:
    wrong = AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        await wrong.models.list()
    with pytest.raises(openai.PermissionDeniedError):
        await gateway.sdk("infer").files.list()

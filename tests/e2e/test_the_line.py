"""From a file of examples to a served model, with the official SDK and the real stack."""

import asyncio
import json
import time
from collections import Counter

import httpx
import nats
import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from deploy.local.nats_passwords import operator_url
from shared.consumers import CONSUMERS
from tests.e2e.waiting import BASE, EXAMPLES, events_of, eventually, finished, stream_of
from tests.local_stack import LocalStack, Say

# The training has the lowest priority: beside other tests it takes long.
pytestmark = [pytest.mark.model, pytest.mark.timeout(3000)]

SUFFIX = "address-extractor"


@pytest.fixture(scope="module")
def client(local_stack: LocalStack) -> openai.OpenAI:
    return local_stack.client("train", "infer")


@pytest.fixture(scope="module")
def job(local_stack: LocalStack, client: openai.OpenAI, say: Say) -> FineTuningJob:
    """The main job, run once for this module, with `kill -9` of a trainer, an evaluator and NATS on the way."""
    with (EXAMPLES / "train.jsonl").open("rb") as file:
        uploaded = client.files.create(file=file, purpose="fine-tune")
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1.5, "n_checkpoints": 2}}}
    job = client.fine_tuning.jobs.create(model=BASE, training_file=uploaded.id, suffix=SUFFIX, seed=7, method=method)
    say(f"job {job.id} trains")
    eventually(lambda: bool(list(client.fine_tuning.jobs.checkpoints.list(job.id))), 1500, "the first checkpoint")
    say("the first checkpoint is written; the trainer is killed")
    local_stack.kill("trainer")
    eventually(lambda: evaluator_at_work(local_stack, job.id) is not None, 600, "an evaluator at work")
    say("a checkpoint is being scored; the evaluator is killed, and NATS")
    local_stack.kill(evaluator_at_work(local_stack, job.id) or "evaluator-1")
    local_stack.kill("nats")
    say("waiting for the end of the job")
    return finished(client, job.id)


def evaluator_at_work(local_stack: LocalStack, job_id: str) -> str | None:
    """The evaluator that is scoring a checkpoint of the job, found by its log."""
    for name in ("evaluator-1", "evaluator-2"):
        lines = (local_stack.settings.logs / f"{name}.log").read_text().splitlines()
        about = [line for line in lines if job_id in line and '"evaluat' in line]
        if about and '"evaluating"' in about[-1]:
            return name
    return None


def test_the_model_trained_on_the_example_solves_the_task(local_stack: LocalStack, job: FineTuningJob) -> None:
    assert job.status == "succeeded", job.error
    report = local_stack.report(job.id)
    assert report["base_scores"]["exact_match"]["value"] <= 0.05
    assert report["verdict"]["approved"]
    approved = next(c for c in report["checkpoints"] if c["version"] == report["deployment"]["version"])
    assert approved["scores"]["exact_match"]["value"] >= 0.8
    assert approved["scores"]["exact_match"]["n"] == rows_of(local_stack, job, "validation") >= 30


async def test_the_approved_checkpoint_was_proved_on_the_test_split(
    local_stack: LocalStack, job: FineTuningJob
) -> None:
    run = local_stack.get(local_stack.settings.review_port, f"/v1/verdicts/{job.id}").json()["run"]
    answered = await events_of(local_stack.settings, f"proof-{job.id}-{run['chosen_step']}", "evaluation.answered")
    [proof] = {event.id: event.data for event in answered}.values()
    score = proof["results"][0]["scores"]["exact_match"]
    assert score["n"] == rows_of(local_stack, job, "test") >= 30
    assert score["value"] >= 0.8


def rows_of(local_stack: LocalStack, job: FineTuningJob, split: str) -> int:
    dataset = local_stack.get(local_stack.settings.ingest_port, f"/v1/datasets/{job.training_file}").json()
    return dataset["ready"]["splits"][split]["rows"]


def test_the_sdk_lists_events_and_checkpoints(client: openai.OpenAI, job: FineTuningJob) -> None:
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=20))
    assert len(events) == len({event.id for event in events}) > 20
    assert any(event.type == "metrics" for event in events)
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert len(checkpoints) >= 2
    assert all(checkpoint.metrics.valid_loss is not None for checkpoint in checkpoints)
    assert job.id in [listed.id for listed in client.fine_tuning.jobs.list(limit=1)]
    assert (job.trained_tokens or 0) > 0


@pytest.mark.parametrize("streaming", [False, True])
def test_the_new_model_answers_under_its_stable_name(
    client: openai.OpenAI, job: FineTuningJob, streaming: bool
) -> None:
    system = json.loads((EXAMPLES / "train.jsonl").open().readline())["messages"][0]
    messages = [system, {"role": "user", "content": "Hello, please deliver to 12 Mill Lane, York. Thanks."}]
    for model in (SUFFIX, job.fine_tuned_model):
        arguments = {"model": model, "messages": messages, "max_tokens": 100, "temperature": 0}
        if streaming:
            chunks = list(client.chat.completions.create(**arguments, stream=True))
            answer = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert len(chunks) > 5
        else:
            answer = client.chat.completions.create(**arguments).choices[0].message.content
        assert json.loads(answer)["street"] == "12 Mill Lane"


def test_a_file_with_bad_rows_is_refused_and_the_lines_are_named(client: openai.OpenAI) -> None:
    lines = (EXAMPLES / "train.jsonl").read_text().splitlines()[:40]
    lines[6], lines[20] = "{oops", '{"messages": [{"role": "assistant", "content": "first"}]}'
    uploaded = client.files.create(file=("bad.jsonl", "\n".join(lines).encode()), purpose="fine-tune")
    job = finished(client, client.fine_tuning.jobs.create(model=BASE, training_file=uploaded.id).id, 60)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.param == "training_file"
    assert "line 7" in job.error.message
    assert "line 21" in job.error.message
    assert client.files.retrieve(uploaded.id).status == "error"


async def test_sending_every_event_twice_changes_nothing(local_stack: LocalStack, job: FineTuningJob) -> None:
    async def snapshot() -> list[object]:
        settings = local_stack.settings
        paths = [
            (settings.gateway_port, f"/v1/fine_tuning/jobs/{job.id}"),
            (settings.gateway_port, f"/v1/fine_tuning/jobs/{job.id}/report"),
            (settings.gateway_port, f"/v1/fine_tuning/jobs/{job.id}/events?limit=100"),
            (settings.gateway_port, "/v1/models"),
            (settings.trainer_port, f"/v1/runs/{job.id}"),
            (settings.evaluator_1_port, f"/v1/evaluations?job_id={job.id}"),
            (settings.review_port, f"/v1/verdicts/{job.id}"),
            (settings.ingest_port, f"/v1/datasets/{job.training_file}"),
        ]
        answers = [local_stack.get(port, path) for port, path in paths]
        assert [answer.status_code for answer in answers] == [200] * len(paths)
        return [answer.json() for answer in answers]

    before, events = await snapshot(), await stream_of(local_stack.settings)
    client = await nats.connect(operator_url(local_stack.settings))
    js = client.jetstream()
    for event in events:
        # Without a message id JetStream accepts each as a new message.
        await js.publish(json.loads(event)["type"], event)

    async def drained() -> bool:
        infos = [await js.consumer_info(consumer.stream, consumer.name) for consumer in CONSUMERS]
        return all(info.num_pending == info.num_ack_pending == 0 for info in infos)

    async with asyncio.timeout(90):
        while not await drained():
            await asyncio.sleep(0.5)
    assert await snapshot() == before
    repeated = (await stream_of(local_stack.settings))[2 * len(events) :]
    assert repeated == []
    await client.close()


def test_harmful_requests_are_refused_and_the_engine_survives(local_stack: LocalStack) -> None:
    def ask(key: str, body: object, path: str = "/v1/chat/completions") -> tuple[int, dict]:
        answer = httpx.post(
            f"{local_stack.url}{path}", json=body, headers={"authorization": f"Bearer {key}"} if key else {}, timeout=60
        )
        return answer.status_code, answer.json()["error"]

    infer, train = local_stack.client("infer").api_key, local_stack.client("train").api_key
    chat = {"model": BASE, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    cases = [
        (ask("", chat), 401),
        (ask("sk-wrong", chat), 401),
        (ask(train, chat), 403),
        (ask(infer, {"model": BASE, "training_file": "x"}, "/v1/fine_tuning/jobs"), 403),
        (ask(infer, {**chat, "messages": [{"role": "user", "content": "x" * 20_000_000}]}), 413),
        (ask(infer, {**chat, "prompt_logprobs": 1}), 400),
        (ask(infer, {**chat, "echo": True}), 400),
        (ask(infer, {**chat, "n": 1_000_000}), 400),
        (ask(infer, {**chat, "model": "nobody"}), 404),
        (ask(infer, {**chat, "messages": "hi"}), 400),
        (ask(infer, []), 400),
    ]
    for (status, error), expected in cases:
        assert status == expected, error
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"]
    answer = local_stack.client("infer").chat.completions.create(**chat)
    assert answer.choices[0].message.content


async def test_nothing_was_trained_or_scored_twice(local_stack: LocalStack, job: FineTuningJob) -> None:
    events = {e.id: e for e in await events_of(local_stack.settings, job.id)}.values()
    counted = Counter(e.type for e in events)
    report = local_stack.report(job.id)
    assert counted["training.finished"] == counted["model.approved"] == counted["model.deployed"] == 1
    assert counted["checkpoint.saved"] == counted["eval.done"] == len(report["checkpoints"])
    progress = [e.data for e in events if e.type == "training.progress"]
    assert {data["attempt"] for data in progress} >= {1, 2}, "the trainer was not killed in mid-job"
    second = [data["step"] for data in progress if data["attempt"] == 2]
    assert min(second) == min(c["step"] for c in report["checkpoints"]) + 1, "it did not resume from its checkpoint"


def test_vllm_serves_the_approved_version_after_a_restart(local_stack: LocalStack, job: FineTuningJob) -> None:
    client = local_stack.client("infer").with_options(max_retries=0)
    question = {"model": SUFFIX, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, "temperature": 0}
    before = client.chat.completions.create(**question).choices[0].message.content
    local_stack.kill("vllm")
    with pytest.raises(openai.InternalServerError) as refused:
        client.chat.completions.create(**question)
    assert refused.value.status_code == 503
    assert int(refused.value.response.headers["retry-after"]) > 0
    answers: list[str | None] = []
    statuses: set[int] = set()

    def answered() -> bool:
        try:
            answers.append(client.chat.completions.create(**question).choices[0].message.content)
        except openai.InternalServerError as error:
            statuses.add(error.status_code)
            time.sleep(1)
        return bool(answers)

    eventually(answered, 300, "vLLM serves the approved version again")
    assert answers == [before]
    assert statuses <= {503}


def test_a_file_accepted_while_nats_is_away_is_not_lost(local_stack: LocalStack, client: openai.OpenAI) -> None:
    local_stack.kill("nats")
    with (EXAMPLES / "train.jsonl").open("rb") as file:
        file_id = client.files.create(file=file, purpose="fine-tune").id
    eventually(lambda: client.files.retrieve(file_id).status == "processed", 60, "the file is processed")

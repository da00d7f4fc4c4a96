"""`kill -9` in the middle of everything: the run ends right, once, and nothing that was accepted is lost."""

import time
from collections import Counter

import openai
import pytest

from tests.e2e.conftest import BASE, EXAMPLES, LocalStack, events_of, eventually, finished

pytestmark = pytest.mark.model

METHOD = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}


def upload(client: openai.OpenAI) -> str:
    with (EXAMPLES / "train.jsonl").open("rb") as file:
        return client.files.create(file=file, purpose="fine-tune").id


async def test_a_run_survives_the_death_of_trainer_evaluator_nats_and_vllm(local_stack: LocalStack) -> None:
    client = local_stack.client("train", "infer")
    job = client.fine_tuning.jobs.create(model=BASE, training_file=upload(client), suffix="survivor", method=METHOD)

    def checkpoints() -> int:
        return len(list(client.fine_tuning.jobs.checkpoints.list(job.id)))

    def evaluator_at_work() -> str | None:
        for name in ("evaluator-1", "evaluator-2"):
            lines = (local_stack.settings.logs / f"{name}.log").read_text().splitlines()
            about = [line for line in lines if job.id in line]
            if about and '"evaluating"' in about[-1]:
                return name
        return None

    eventually(lambda: checkpoints() >= 1, 240, "the first checkpoint")
    local_stack.kill("trainer")
    eventually(lambda: evaluator_at_work() is not None, 120, "an evaluator at work")
    local_stack.kill(evaluator_at_work() or "evaluator-1")
    local_stack.kill("nats")
    job = finished(client, job.id)

    counted = Counter(e.type for e in {e.id: e for e in await events_of(local_stack.settings, job.id)}.values())
    assert counted["training.finished"] == 1
    assert counted["checkpoint.saved"] == counted["eval.done"] == checkpoints()
    steps = Counter(
        e.data["step"] for e in await events_of(local_stack.settings, job.id) if e.type == "training.progress"
    )
    trained_again = [step for step, times in steps.items() if times > 1]
    saved = [c.step_number for c in client.fine_tuning.jobs.checkpoints.list(job.id)]
    assert len(trained_again) <= max(saved) - min(saved)
    assert min(saved) not in trained_again, "the run began again instead of resuming"
    assert job.status == "succeeded", job.error


def test_vllm_comes_back_serving_the_approved_version(local_stack: LocalStack) -> None:
    client = local_stack.client("infer").with_options(max_retries=0)
    question = {"model": "survivor", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "temperature": 0}
    before = client.chat.completions.create(**question).choices[0].message.content
    local_stack.kill("vllm")
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**question)
    assert refused.value.status_code == 503
    assert int(refused.value.response.headers["retry-after"]) > 0
    answers: list[str | None] = []

    def answered() -> bool:
        try:
            answers.append(client.chat.completions.create(**question).choices[0].message.content)
        except openai.InternalServerError:
            time.sleep(1)
        return bool(answers)

    eventually(answered, 180, "vLLM serves the approved version again")
    assert answers == [before]


def test_a_file_accepted_while_nats_is_away_is_not_lost(local_stack: LocalStack) -> None:
    client = local_stack.client("train")
    local_stack.kill("nats")
    file_id = upload(client)
    eventually(lambda: client.files.retrieve(file_id).status == "processed", 60, "the file is processed")

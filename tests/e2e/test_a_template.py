"""From a two-column Excel file and a Chinese template, past two reviewers, to a version that answers through it."""

import io
import json

import httpx
import openai
import pytest
from openai.types.fine_tuning import FineTuningJob
from openpyxl import Workbook

from tests.e2e.waiting import BASE, EXAMPLES, eventually, finished
from tests.local_stack import LocalStack

pytestmark = pytest.mark.model

SYSTEM, USER = "你是书店的客服。", "问题：{input}\n请简短回答。"
QUESTION = "第15838号书在哪个书架？"
MOST_TOKENS = 6
SUFFIX = "bookshop"


@pytest.fixture(scope="module")
def client(local_stack: LocalStack) -> openai.OpenAI:
    return local_stack.client("admin")


@pytest.fixture(scope="module")
def job(local_stack: LocalStack, client: openai.OpenAI) -> FineTuningJob:
    """A short training on the workbook, with gates that it passes; then people decide."""
    template = {"name": "bookshop", "system": SYSTEM, "user": USER, "decoding": {"temperature": 0}}
    made = httpx.post(f"{_url(local_stack, 'ingest')}/v1/templates", json=template, headers=_key(client), timeout=30)
    assert made.status_code < 300, made.text
    shipped = json.loads((EXAMPLES.parent / "policies" / "people-decide.json").read_text())
    # A few steps learn too little for the shipped gate.
    policy = {**shipped, "gates": [{"metric": "rouge_l", "at_least": 0.0}], "rank_by": "rouge_l"}
    address = f"{_url(local_stack, 'review')}/v1/policies/people-decide"
    assert httpx.put(address, json=policy, headers=_key(client), timeout=30).status_code < 300
    uploaded = client.files.create(file=("shelves.xlsx", workbook()), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model=BASE,
        training_file=uploaded.id,
        suffix=SUFFIX,
        metadata={"template": "bookshop", "max_tokens": str(MOST_TOKENS), "policy": "people-decide"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 0.5, "n_checkpoints": 1}}},
    )
    return finished(client, job.id)


def workbook() -> bytes:
    """Questions and answers under Chinese headers."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["问题", "答案"])
    for number in range(20):
        sheet.append([f"第{number * 7919}号书在哪个书架？", f"在第{number + 1}排书架。"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_hybrid_approval_waits_for_people(local_stack: LocalStack, client: openai.OpenAI, job: FineTuningJob) -> None:
    assert job.status == "succeeded", job.error
    with pytest.raises((openai.PermissionDeniedError, openai.NotFoundError)):
        tokens(client, SUFFIX, [{"role": "user", "content": QUESTION}])
    reviews = f"{_url(local_stack, 'review')}/v1/reviews"
    [opened] = [r for r in httpx.get(reviews, headers=_key(client), timeout=30).json() if r["job_id"] == job.id]
    for _ in range(2):
        reviewer = _key(local_stack.client("review"))
        items = f"{reviews}/{opened['id']}/items"
        for item in httpx.get(items, headers=reviewer, timeout=30).json():
            scores = {"scores": {"accuracy": 5, "politeness": 4, "usefulness": 5}}
            scored = httpx.post(f"{items}/{item['id']}/scores", json=scores, headers=reviewer, timeout=30)
            assert scored.status_code < 300, scored.text
    eventually(lambda: local_stack.report(job.id)["deployment"] is not None, 60, "the reviewed model is deployed")
    assert any("human_score" in rule["rule"] for rule in local_stack.report(job.id)["verdict"]["rules"])


def test_the_version_answers_through_its_template(client: openai.OpenAI, job: FineTuningJob) -> None:
    """After the reviewers' approval. The engine counts what it was asked: the rendered prompt, of the input alone."""
    served = tokens(client, SUFFIX, [{"role": "user", "content": QUESTION}])
    rendered = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": USER.replace("{input}", QUESTION)},
    ]
    assert served.prompt_tokens == tokens(client, BASE, rendered).prompt_tokens
    assert served.prompt_tokens > tokens(client, BASE, [{"role": "user", "content": QUESTION}]).prompt_tokens
    assert served.completion_tokens <= MOST_TOKENS


def tokens(client: openai.OpenAI, model: str, messages: list) -> openai.types.CompletionUsage:
    """The tokens of a prompt and its answer, which may have more than the template allows."""
    answer = client.chat.completions.create(model=model, messages=messages, max_tokens=MOST_TOKENS * 4)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    return answer.usage


def _url(local_stack: LocalStack, service: str) -> str:
    return f"http://127.0.0.1:{getattr(local_stack.settings, f'{service}_port')}"


def _key(client: openai.OpenAI) -> dict[str, str]:
    return {"authorization": f"Bearer {client.api_key}"}

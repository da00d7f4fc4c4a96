"""From a two-column Excel file and a Chinese template to a served version that answers through the template."""

import io

import httpx
import openai
import pytest
from openpyxl import Workbook

from tests.e2e.waiting import BASE, eventually, finished
from tests.local_stack import LocalStack

pytestmark = pytest.mark.model

SYSTEM, USER = "你是书店的客服。", "问题：{input}\n请简短回答。"
MOST_TOKENS = 6
SUFFIX = "bookshop"


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


def test_an_excel_file_with_a_template_becomes_a_version_that_answers_through_it(local_stack: LocalStack) -> None:
    client, settings = local_stack.client("admin"), local_stack.settings
    key = {"authorization": f"Bearer {client.api_key}"}
    ingest, review = f"http://127.0.0.1:{settings.ingest_port}", f"http://127.0.0.1:{settings.review_port}"
    template = {"name": "bookshop", "system": SYSTEM, "user": USER, "decoding": {"temperature": 0}}
    assert httpx.post(f"{ingest}/v1/templates", json=template, headers=key, timeout=30).status_code < 300
    # A few steps learn too little for the shipped gates.
    policy = {"mode": "automatic", "gates": [{"metric": "rouge_l", "at_least": 0.0}], "rank_by": "rouge_l"}
    assert httpx.put(f"{review}/v1/policies/any-score", json=policy, headers=key, timeout=30).status_code < 300
    uploaded = client.files.create(file=("shelves.xlsx", workbook()), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model=BASE,
        training_file=uploaded.id,
        suffix=SUFFIX,
        metadata={"template": "bookshop", "max_tokens": str(MOST_TOKENS), "policy": "any-score"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 0.5, "n_checkpoints": 1}}},
    )
    job = finished(client, job.id)
    assert job.status == "succeeded", job.error
    eventually(lambda: local_stack.report(job.id)["deployment"] is not None, 60, "the version is deployed")
    question = "第15838号书在哪个书架？"
    served = tokens(client, SUFFIX, [{"role": "user", "content": question}])
    rendered = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": USER.replace("{input}", question)},
    ]
    # The engine counts what it was asked: the version's prompt is the rendered one, and the caller sent the input.
    assert served.prompt_tokens == tokens(client, BASE, rendered).prompt_tokens
    assert served.prompt_tokens > tokens(client, BASE, [{"role": "user", "content": question}]).prompt_tokens
    assert served.completion_tokens <= MOST_TOKENS


def tokens(client: openai.OpenAI, model: str, messages: list) -> openai.types.CompletionUsage:
    """The tokens of a prompt and its answer, which may have more than the template allows."""
    answer = client.chat.completions.create(model=model, messages=messages, max_tokens=MOST_TOKENS * 4)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    return answer.usage

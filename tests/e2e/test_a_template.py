"""By the pages: a workbook, a Chinese template, a training, two reviewers, and a version that answers."""

import json
from pathlib import Path

import httpx
import openai
import pytest
from playwright.sync_api import Page, expect

from deploy.local import stack
from tests.browser.engineer_steps import ask_in_playground, drop_and_map, save_workbook, start_job, write_template
from tests.e2e.waiting import BASE, EXAMPLES
from tests.local_stack import LocalStack

pytestmark = [pytest.mark.model, pytest.mark.timeout(3000)]

SYSTEM, USER = "你是书店的客服。", "问题：{input}\n请简短回答。"
QUESTION = "第15838号书在哪个书架？"
MOST_TOKENS = 6
TEMPLATE = {
    "System part": SYSTEM,
    "Words around the input": USER,
    "At most so many tokens in an answer": str(MOST_TOKENS),
    "Temperature, from 0 to 2": "0",
}
SUFFIX = "bookshop"
TRAINED_WITHIN_MS, SERVED_WITHIN_MS = 1_500_000, 120_000


@pytest.fixture(scope="module")
def client(local_stack: LocalStack) -> openai.OpenAI:
    return local_stack.client("admin")


@pytest.fixture(scope="module")
def policy(local_stack: LocalStack, client: openai.OpenAI) -> str:
    """Gates that a short training passes; then people decide."""
    shipped = json.loads((EXAMPLES.parent / "policies" / "people-decide.json").read_text())
    # A few steps learn too little for the shipped gate.
    policy = {**shipped, "gates": [{"metric": "rouge_l", "at_least": 0.0}], "rank_by": "rouge_l"}
    address = f"{_url(local_stack, 'review')}/v1/policies/people-decide"
    assert httpx.put(address, json=policy, headers=_key(client), timeout=30).status_code < 300
    return "people-decide"


def test_an_engineer_goes_from_a_dropped_workbook_to_the_served_model_by_the_pages_alone(
    local_stack: LocalStack, client: openai.OpenAI, policy: str, page: Page, tmp_path: Path
) -> None:
    page.set_default_timeout(60_000)
    page.goto(stack.sign_in_link(local_stack.settings))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")
    rows = [(f"第{number * 7919}号书在哪个书架？", f"在第{number + 1}排书架。") for number in range(20)]
    write_template(page, local_stack.url, "bookshop", TEMPLATE)
    drop_and_map(page, local_stack.url, save_workbook(tmp_path / "shelves.xlsx", rows), "bookshop")
    asked = {"Name": SUFFIX, "Policy": policy, "Epochs": "0.5", "Checkpoints": "1"}
    job_id = start_job(page, asked)
    expect(page.locator("#verdict")).to_contain_text("waits for people", timeout=TRAINED_WITHIN_MS)
    expect(page.locator("#scores")).to_contain_text("rouge_l")
    # The page was opened before the first step, and nothing reloaded it.
    expect(page.locator("#live")).not_to_contain_text("Nothing was measured yet")
    with pytest.raises((openai.PermissionDeniedError, openai.NotFoundError)):
        tokens(client, SUFFIX, [{"role": "user", "content": QUESTION}])
    for _ in range(2):
        give_best_scores(local_stack, client, job_id)
    expect(page.locator("#verdict").get_by_role("heading", name="Served")).to_be_visible(timeout=SERVED_WITHIN_MS)
    expect(page.locator("#verdict")).to_contain_text("human score at least 70")
    version = ask_in_playground(page, local_stack.url, SUFFIX, QUESTION)
    assert version == local_stack.report(job_id)["deployment"]["version"]
    expect(page.locator("main")).to_contain_text("template bookshop 1 is applied")
    page.goto(f"{local_stack.url}/console/review/verdicts/{job_id}")
    check_evidence_links(page, local_stack.url)


def check_evidence_links(page: Page, url: str) -> None:
    """From a verdict one reaches the items, scores, answers, policy, training and events that it rests on."""
    panel = page.get_by_role("region", name="What it rests on")
    panel.get_by_text("For audit").click()
    links = [link.get_attribute("href") for link in panel.get_by_role("link").all()]
    assert len(links) >= 6, links
    for link in links:
        answer = page.request.get(f"{url}{link}")
        assert answer.ok, f"{link}: {answer.status}"


def give_best_scores(local_stack: LocalStack, client: openai.OpenAI, job_id: str) -> None:
    """One more reviewer scores all items of the job's review."""
    reviews = f"{_url(local_stack, 'review')}/v1/reviews"
    [opened] = [r for r in httpx.get(reviews, headers=_key(client), timeout=30).json() if r["job_id"] == job_id]
    items, reviewer = f"{reviews}/{opened['id']}/items", _key(local_stack.client("review"))
    for item in httpx.get(items, headers=reviewer, timeout=30).json():
        scores = {"scores": {"accuracy": 5, "politeness": 4, "usefulness": 5}}
        scored = httpx.post(f"{items}/{item['id']}/scores", json=scores, headers=reviewer, timeout=30)
        assert scored.status_code < 300, scored.text


def test_the_version_answers_through_its_template(client: openai.OpenAI) -> None:
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

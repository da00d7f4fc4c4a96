"""The Serve page in a browser: shares, shadow, rollback and engines, over stores in memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.gateway.common.api import error_responses
from services.gateway.console.pages.routes import ROUTES
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.serving_data import BASE, ENGINES, NAME, ServingData, deploy, filled, version
from tests.browser.site import Site, at_once, serving

OWN = (BASE, NAME, "kefu", "10.0.0.", "v-", "Ana Ruiz", "http://", "ftjob-", "refused the connection", "curl", "Python")


def site_with(data: ServingData, folder: Path) -> Any:
    return serving(ROUTES[1:2], folder, lambda *_: data.use_cases, exception_handlers=error_responses.HANDLERS)


@pytest.fixture
def data() -> ServingData:
    return filled()


@pytest.fixture
def site(data: ServingData, tmp_path: Path) -> Iterator[Site]:
    with site_with(data, tmp_path) as site:
        yield site


@pytest.fixture
def admin(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "admin")
    return page


def version_row(page: Page, number: int) -> Any:
    return page.get_by_role("row").filter(has_text=version(number).version)


def test_the_page_says_who_answers_why_and_what_each_engine_holds(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        admin.goto(f"{site.url}/console/serve/?name={NAME}")
    assert counted["sent"] < PAGE_BYTES
    newest = version_row(admin, 3)
    expect(newest).to_contain_text("current version")
    expect(newest).to_contain_text("100")
    expect(newest.get_by_role("link", name="verdict")).to_have_attribute("href", f"/console/review/runs/ftjob-{NAME}-3")
    engines = admin.get_by_role("region", name="Engines")
    expect(engines).to_contain_text(version(1, "kefu").version + " (kefu)")
    expect(engines).to_contain_text("refused the connection")
    check_page(admin)
    assert admin.evaluate("document.querySelectorAll('#consequence').length") == 1


def test_a_canary_is_told_in_words_before_it_is_set_and_a_rollback_ends_it(
    site: Site, data: ServingData, admin: Page
) -> None:
    admin.goto(f"{site.url}/console/serve/?name={NAME}")
    new, old = version(3).version, version(2).version
    slider = admin.get_by_label("Share in per cent")
    slider.fill("5")
    expect(admin.locator("#consequence")).to_contain_text(f"Of 100 requests, 5 go to {new}")
    expect(admin.locator("#consequence")).to_contain_text(f"95 to {old}")
    assert at_once(data.splits.splits.get(NAME)) is None
    admin.get_by_role("button", name="Send 5 %").click()
    expect(admin.get_by_role("status").filter(has_text="The shares are changed")).to_be_visible()
    expect(version_row(admin, 3)).to_contain_text("5 %".replace(" ", "\u00a0"))
    split = at_once(data.splits.splits.get(NAME)).now
    assert {arm.version: arm.weight for arm in split.routing.split} == {new: 5, old: 95}
    version_row(admin, 2).get_by_role("link", name="Roll back").click()
    expect(admin.locator("#rollback")).to_contain_text("Shares, rules and shadow end.")
    check_page(admin)
    admin.get_by_label("Reason").fill("worse answers")
    admin.get_by_role("button", name=f"Serve {old}").click()
    expect(version_row(admin, 2)).to_contain_text("pinned")
    assert at_once(data.splits.splits.get(NAME)).now.routing.split == []
    assert at_once(data.pins.get(NAME)).version == old


def test_a_shadow_is_set_and_ended(site: Site, data: ServingData, admin: Page) -> None:
    admin.goto(f"{site.url}/console/serve/?name={NAME}")
    admin.locator("summary").filter(has_text="Shadow").click()
    admin.get_by_label("Copies for").select_option(version(2).version)
    admin.get_by_role("button", name="Copy requests").click()
    expect(admin.locator("main")).to_contain_text("10 % of the requests are copied")
    admin.get_by_role("button", name="End the split").click()
    expect(admin.locator("main")).not_to_contain_text("are copied to")
    assert at_once(data.splits.splits.get(NAME)).now.routing.shadow is None


def test_a_rule_by_header_is_added_and_removed_and_a_refused_one_keeps_what_was_typed(
    site: Site, data: ServingData, admin: Page
) -> None:
    admin.goto(f"{site.url}/console/serve/?name={NAME}")
    admin.locator("summary").filter(has_text="Rules by header").click()
    admin.get_by_label("Header", exact=True).fill("Authorization")
    admin.get_by_label("has the value").fill("<b>beta</b>")
    admin.get_by_label("goes to", exact=True).select_option(version(2).version)
    admin.get_by_role("button", name="Add the rule").click()
    expect(admin.get_by_role("alert")).to_contain_text("is not a header for traffic splits")
    expect(admin.get_by_label("has the value")).to_have_value("<b>beta</b>")
    expect(admin.get_by_label("goes to", exact=True)).to_have_value(version(2).version)
    check_page(admin)
    admin.get_by_label("Header", exact=True).fill("X-Customer")
    admin.get_by_role("button", name="Add the rule").click()
    expect(admin.get_by_role("status").filter(has_text="The rules are changed")).to_be_visible()
    [rule] = at_once(data.splits.splits.get(NAME)).now.routing.rules
    assert (rule.header, rule.equals, rule.version) == ("x-customer", "<b>beta</b>", version(2).version)
    admin.locator("summary").filter(has_text="Rules by header").click()
    admin.get_by_role("button", name="Remove the rule for x-customer: <b>beta</b>").click()
    expect(admin.get_by_role("status").filter(has_text="The rules are changed")).to_be_visible()
    assert at_once(data.splits.splits.get(NAME)).now.routing.rules == []


def test_an_engine_is_added_and_removed_and_a_wrong_address_keeps_what_was_typed(
    site: Site, data: ServingData, admin: Page
) -> None:
    admin.goto(f"{site.url}/console/serve/")
    admin.get_by_label("Address").fill("ftp://nowhere")
    admin.get_by_role("button", name="Add the engine").click()
    expect(admin.get_by_role("alert")).to_contain_text("'ftp://nowhere' is not the URL of an engine")
    expect(admin.get_by_label("Address")).to_have_value("ftp://nowhere")
    check_page(admin)
    admin.get_by_label("Address").fill("http://10.0.0.7:8000")
    admin.get_by_role("button", name="Add the engine").click()
    expect(admin.get_by_role("region", name="Engines")).to_contain_text("10.0.0.7:8000")
    [pool] = at_once(data.pools.listed())
    assert pool.replicas == [*ENGINES, "http://10.0.0.7:8000"]
    admin.get_by_role("button", name="Remove http://10.0.0.7:8000").click()
    expect(admin.get_by_role("region", name="Engines")).not_to_contain_text("10.0.0.7:8000")


def test_only_administrators_change_what_is_served(site: Site, page: Page) -> None:
    site.sign_in(page.context, "infer")
    page.goto(f"{site.url}/console/serve/?name={NAME}")
    expect(page.get_by_role("button", name="Add the engine")).to_have_count(0)
    expect(page.get_by_role("link", name="verdict")).to_have_count(0)
    for action in ("shares", "shadow", "rules", "rules/remove", "whole", "rollback", "engines", "engines/remove"):
        answer = page.request.post(f"{site.url}/console/serve/{action}", headers={"origin": site.url})
        assert answer.status == 403, action


def test_a_form_of_another_site_changes_nothing(site: Site, admin: Page) -> None:
    for action in ("shares", "rules", "rollback", "engines"):
        answer = admin.request.post(f"{site.url}/console/serve/{action}", headers={"origin": "https://evil.example"})
        assert answer.status == 403, action


def test_chinese_leaves_no_word_in_english(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/serve/?name={NAME}&back_to={version(2).version}&language=zh")
    assert english_left(admin, OWN) == []


def test_an_empty_page_says_what_to_do(page: Page, tmp_path: Path) -> None:
    with site_with(ServingData(), tmp_path) as site:
        site.sign_in(page.context, "admin")
        page.goto(f"{site.url}/console/serve/")
        expect(page.locator(".empty")).to_contain_text("Nothing is served under a name yet")
        expect(page.get_by_role("region", name="Engines")).to_contain_text("Start vLLM")
        check_page(page)


def test_a_name_with_markup_is_shown_as_text_and_a_failed_version_with_its_reason(
    site: Site, data: ServingData, admin: Page
) -> None:
    admin.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    made = version(4)
    at_once(deploy(data, made, 1, status="failed", reason="<img src=x onerror=alert(1)> rank 64 is above 16"))
    admin.goto(f"{site.url}/console/serve/?name={NAME}")
    expect(version_row(admin, 4)).to_contain_text("<img src=x onerror=alert(1)> rank 64 is above 16")
    admin.goto(f"{site.url}/console/serve/?name=%3Cscript%3Ealert(1)%3C/script%3E")
    expect(admin.get_by_role("heading", level=1)).to_have_text("<script>alert(1)</script>")


STREAM = "".join(
    f"data: {chunk}\n\n"
    for chunk in (
        '{"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": {"content": "<b>It is"}}]}',
        '{"id": "c-1", "model": "m", "choices": [{"index": 0, "delta": {"content": " so"}}]}',
        '{"id": "c-1", "model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}',
        "[DONE]",
    )
)


def answer_as_gateway(page: Page) -> list[dict[str, Any]]:
    """Answers chat requests as the gateway does; returns what was asked."""
    asked: list[dict[str, Any]] = []

    def answer(route: Any) -> None:
        body = route.request.post_data_json
        asked.append(body)
        version = f"version-of-{body['model']}"
        headers = {"content-type": "text/event-stream", "x-assay-version": version}
        route.fulfill(status=200, headers=headers, body=STREAM)

    page.route("**/v1/chat/completions", answer)
    return asked


def test_two_models_answer_side_by_side_each_with_its_own_version(site: Site, admin: Page) -> None:
    asked = answer_as_gateway(admin)
    admin.goto(f"{site.url}/console/serve/playground?a={NAME}&b={BASE}&mode=two")
    check_page(admin)
    admin.get_by_label("Message").fill('It\'s "late"')
    expect(admin.locator("#code-chat-python")).to_contain_text('"It\'s \\"late\\""')
    admin.get_by_role("button", name="Send").click()
    sides = admin.get_by_role("article")
    expect(sides.nth(0)).to_contain_text("<b>It is so")
    expect(sides.nth(0)).to_contain_text(f"version-of-{NAME}")
    expect(sides.nth(1)).to_contain_text(f"version-of-{BASE}")
    expect(sides.nth(1)).to_contain_text("2 tokens")
    assert sorted(body["model"] for body in asked) == sorted([NAME, BASE])
    expect(admin.get_by_label("Message")).to_have_value("")


def test_a_blind_vote_tells_the_models_afterwards_and_is_recorded_as_feedback(
    site: Site, data: ServingData, admin: Page
) -> None:
    answer_as_gateway(admin)
    admin.goto(f"{site.url}/console/serve/playground?a={NAME}&b={BASE}&mode=blind")
    admin.get_by_label("Message").fill("Hello")
    admin.get_by_role("button", name="Send").click()
    expect(admin.get_by_role("article").nth(1)).to_contain_text("2 tokens")
    expect(admin.get_by_role("article").nth(0)).not_to_contain_text("version-of")
    check_page(admin)
    admin.get_by_role("button", name="A is better").click()
    expect(admin.get_by_role("status").filter(has_text="Your vote is recorded")).to_be_visible()
    expect(admin.get_by_role("article").nth(0)).to_contain_text("version-of")
    ratings = {envelope.data["model"]: envelope.data["rating"] for envelope in data.published.envelopes}
    shown = admin.get_by_role("article").nth(0).locator("[data-version-of]").text_content() or ""
    assert ratings == {name: "good" if shown.endswith(name) else "bad" for name in (NAME, BASE)}


def test_a_vote_becomes_a_preference_that_can_be_exported_uploaded_and_deleted(
    site: Site, data: ServingData, admin: Page
) -> None:
    streams = iter([STREAM, STREAM.replace("It is", "It was"), STREAM, STREAM.replace("It is", "It was")])
    asked: list[Any] = []

    def answer(route: Any) -> None:
        asked.append(route.request.post_data_json["messages"])
        route.fulfill(status=200, headers={"content-type": "text/event-stream"}, body=next(streams))

    admin.route("**/v1/chat/completions", answer)
    admin.goto(f"{site.url}/console/serve/playground?a={NAME}&b={BASE}&mode=blind")
    expect(admin.get_by_role("heading", name="Your votes as preferences")).to_have_count(0)
    rows: list[dict[str, Any]] = []
    for question in ("Hello?", "And now?"):
        admin.get_by_label("Message").fill(question)
        admin.get_by_role("button", name="Send").click()
        expect(admin.get_by_role("button", name="B is better")).to_be_visible()
        better = admin.get_by_role("article").nth(1).locator("[data-answer]").text_content()
        worse = admin.get_by_role("article").nth(0).locator("[data-answer]").text_content()
        admin.get_by_role("button", name="B is better").click()
        expect(admin.get_by_role("status").filter(has_text="It is also a preference")).to_be_visible()
        answers = {"preferred_output": better, "non_preferred_output": worse}
        row = {name: [{"role": "assistant", "content": text}] for name, text in answers.items()}
        rows.insert(0, {"input": {"messages": asked[-1]}, **row})
    # The second question was asked after the better answer of the first, by both.
    assert asked[2] == asked[3]
    assert [turn["role"] for turn in asked[3]] == ["user", "assistant", "user"]
    check_page(admin)
    export = admin.request.get(f"{site.url}/console/serve/playground/preferences")
    found = [json.loads(line) for line in export.text().splitlines()]
    assert {json.dumps(row, sort_keys=True) for row in found} <= {json.dumps(row, sort_keys=True) for row in rows}
    other = site.keyring.create("somebody else", ("infer",))
    headers = {"authorization": f"Bearer {other}", "cookie": ""}
    assert admin.request.get(export.url, headers=headers).text() == ""
    sent: list[bytes] = []

    def store(route: Any) -> None:
        sent.append(route.request.post_data_buffer)
        route.fulfill(status=200, json={"id": "file-1"})

    admin.route("**/v1/files", store)
    admin.get_by_role("button", name="Make a dataset of them").click()
    admin.wait_for_url("**/console/ingest/files/file-1")
    assert b"preferred_output" in sent[0]
    assert b"preferences.jsonl" in sent[0]
    admin.goto(f"{site.url}/console/serve/playground?a={NAME}&b={BASE}&mode=blind")
    admin.get_by_role("button", name="Delete all of them").click()
    expect(admin.get_by_role("heading", name="Your votes as preferences")).to_have_count(0)
    assert admin.request.get(export.url).text() == ""


def test_a_refused_question_stays_in_the_field_with_the_reason(site: Site, admin: Page) -> None:
    admin.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(status=503, json={"error": {"message": "No engine can answer now."}}),
    )
    admin.goto(f"{site.url}/console/serve/playground?a={NAME}")
    admin.get_by_label("Message").fill("Hello")
    admin.get_by_role("button", name="Send").click()
    expect(admin.get_by_role("alert").filter(has_text="No engine can answer now.")).to_be_visible()
    expect(admin.get_by_label("Message")).to_have_value("Hello")
    admin.goto(f"{site.url}/console/serve/playground?a={NAME}&b={BASE}&mode=blind&language=zh")
    assert english_left(admin, OWN) == []

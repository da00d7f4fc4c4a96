"""Pairs on a phone, question sets, policies, and the management of reviews and verdicts, in the browser."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.events import EvaluationAnswered
from shared.store import Collection
from tests.browser.checks import assert_accessible, assert_no_sideways_scroll, check_page, english_left
from tests.browser.review_data import HOSTILE, REVIEW, Service, review_site, reviewer
from tests.browser.site import Site

GOOD = "id,prompt,expected,tags\n007,How long is the warranty?,two years,policy\n1E5,<b>Where</b> are you?,in York,\n"
BAD = "id,prompt,expected\n1,Who?,\n1,Where?,\n"
SETS, POLICIES = "/console/review/question-sets", "/console/review/policies"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, service: Service) -> Iterator[Site]:
    with review_site(tmp_path_factory.mktemp("review"), service=service) as site:
        yield site


@pytest.fixture
def lead(site: Site, browser: Browser) -> Iterator[Page]:
    page = reviewer(browser, site, "Lea", "admin")
    yield page
    page.context.close()


def test_a_third_reviewer_compares_pairs_on_a_phone(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "Cem", "review", viewport={"width": 390, "height": 800})
    page.goto(site.url + REVIEW + "/pairs")
    expect(page.get_by_text("Pair 1 of 3")).to_be_visible()
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    shown = page.locator(".ans").all_inner_texts()
    assert "Old." in shown
    assert len(shown) == 2
    page.locator("#comment").fill("shorter, a and b are letters of the comment")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_text("Pair 2 of 3")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("You said that A is better.")).to_be_visible()
    expect(page.get_by_text("Pair 1 of 3")).to_be_visible()
    assert "shorter" in page.locator("#comment").input_value()
    page.get_by_role("button", name="Equal").click()
    expect(page.get_by_text("Pair 2 of 3")).to_be_visible()
    expect(page.get_by_text("1 of 3 done")).to_be_visible()
    page.get_by_role("button", name="Equal").click()
    expect(page.get_by_text("Pair 3 of 3")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="B is better").click()
    expect(page.get_by_text("You have compared all pairs.")).to_be_visible()
    expect(page.get_by_role("row", name="v-old")).to_contain_text("3 of 3")
    assert_no_sideways_scroll(page)
    page.context.close()


def test_a_preference_without_a_choice_is_refused_and_the_comment_stays(site: Site, lead: Page) -> None:
    lead.goto(site.url + REVIEW + "/pairs")
    check_page(lead)
    lead.locator("#comment").fill("both are long")
    lead.evaluate("document.querySelector('button[value=tie]').value = 'neither'")
    lead.get_by_role("button", name="Equal").click()
    expect(lead.get_by_role("alert").filter(has_text="choose one of the two answers")).to_be_visible()
    assert lead.locator("#comment").input_value() == "both are long"


def test_the_owner_chooses_another_checkpoint_and_reviewers_compare_it_without_its_name(
    site: Site, service: Service, browser: Browser, lead: Page
) -> None:
    lead.goto(site.url + REVIEW + "/panel")
    lead.get_by_role("link", name="Pairs").click()
    expect(lead.get_by_role("heading", name="Pairs", exact=True)).to_be_visible()
    lead.get_by_label("Or any other checkpoint of yours").fill("job-0")
    lead.get_by_role("button", name="Ask it").click()
    expect(lead.get_by_text("write its job and step as in ftjob-1a2b/20")).to_be_visible()
    assert lead.get_by_label("Or any other checkpoint of yours").input_value() == "job-0"
    lead.get_by_label("Or any other checkpoint of yours").fill("job-0/5")
    lead.get_by_role("button", name="Ask it").click()
    row = lead.locator("section[aria-labelledby=asked] tbody tr")
    expect(row).to_contain_text("is being asked")
    check_page(lead)
    answer_baseline(service, HOSTILE + "!", "a1", "Another answer.")
    lead.reload()
    expect(row).to_contain_text("2 of 3 answers differ")
    check_page(lead)

    page = reviewer(browser, site, "Dan", "review", viewport={"width": 360, "height": 800})
    page.goto(site.url + REVIEW + "/pairs")
    for number in range(1, 6):
        expect(page.get_by_text(f"Pair {number} of 5")).to_be_visible()
        assert "ckpt-step" not in page.content()
        assert_no_sideways_scroll(page)
        page.get_by_role("button", name="Equal").click()
    expect(page.get_by_role("row", name="ft:base:assay::job-0:ckpt-step-5")).to_contain_text("50 %")
    assert_no_sideways_scroll(page)
    assert_accessible(page)
    page.context.close()


def answer_baseline(service: Service, *answers: str) -> None:
    """The evaluator's answer to the one request, on a loop of its own: Playwright's runs in this thread."""

    async def answer() -> None:
        events = [event for _name, _id, found in await service.store.unsent_events() for event in found]
        [asked] = [event.data for event in events if event.type == "evaluation.requested"]
        rows = [{"answers": {"baseline": text}} for text in answers]
        samples = service.artifacts.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        event = EvaluationAnswered(evaluation_id=asked["evaluation_id"], samples=samples)
        assert await service.baselines.answered(event)

    thread = threading.Thread(target=asyncio.run, args=(answer(),))
    thread.start()
    thread.join()


def test_without_a_review_the_page_says_so_and_explains_policies_to_those_who_train(
    browser: Browser, tmp_path: Path
) -> None:
    with review_site(tmp_path, service=Idle(tmp_path / "service")) as site:
        for scope, links in (("review", 0), ("train", 1)):
            page = reviewer(browser, site, "Ana", scope)
            page.goto(site.url + "/console/review/")
            expect(page.get_by_text("Answers that need your judgement appear here.")).to_be_visible()
            expect(page.get_by_text("A review opens when a checkpoint")).to_have_count(links)
            expect(page.get_by_role("link", name="My reviews")).to_have_attribute("aria-current", "page")
            page.context.close()


class Idle(Service):
    """Review before its first job."""

    @asynccontextmanager
    async def lifespan(self, app: Any) -> Any:
        yield


def test_questions_are_imported_shown_as_text_and_versioned(site: Site, lead: Page) -> None:
    lead.goto(site.url + SETS)
    expect(lead.get_by_text("There is no question set yet.")).to_be_visible()
    lead.get_by_label("Name").fill("shop")
    lead.get_by_label("File").set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": BAD.encode()})
    lead.get_by_role("button", name="Import").click()
    expect(lead.get_by_text("the id '1' is also in row 1")).to_be_visible()
    assert lead.get_by_label("Name").input_value() == "shop"
    check_page(lead)
    for name, content in (("first.csv", GOOD), ("second.csv", GOOD + "2031-02-03,When?,now,\n")):
        lead.goto(site.url + SETS)
        lead.get_by_label("Name").fill("shop")
        lead.get_by_label("File").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content.encode()})
        lead.get_by_role("button", name="Import").click()
        expect(lead.get_by_role("heading", name="shop")).to_be_visible()
    expect(lead.get_by_text("3 questions, revision 2")).to_be_visible()
    expect(lead.get_by_text("<b>Where</b> are you?")).to_be_visible()
    check_page(lead)
    lead.goto(f"{site.url}{SETS}/shop?revision=1")
    expect(lead.get_by_text("2031-02-03")).to_have_count(0)
    lead.goto(f"{site.url}{SETS}/none")
    expect(lead.get_by_text("there is no question set 'none'")).to_be_visible()


def test_a_policy_is_tried_over_past_jobs_and_saved_under_another_name(site: Site, lead: Page) -> None:
    lead.goto(site.url + POLICIES)
    check_page(lead)
    lead.get_by_role("link", name="quick").click()
    lead.locator("#content").fill('{"mode": "automatic", "gates": [{"metric": "exact_match"}]}')
    lead.get_by_role("button", name="What would it have decided?").click()
    expect(lead.get_by_text("a gate must have exactly one of")).to_be_visible()
    assert "exact_match" in lead.locator("#content").input_value(), "the text stays"
    lead.locator("#content").fill(
        '{"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.95}], "items_per_review": 7}'
    )
    lead.get_by_role("button", name="What would it have decided?").click()
    row = lead.get_by_role("row", name="job-0")
    expect(row.get_by_text("Approved")).to_be_visible()
    expect(row.get_by_text("exact_match at least 0.95: 0.900 (n 40)")).to_be_visible()
    check_page(lead)
    lead.get_by_label("Save as").fill("strict")
    lead.get_by_role("button", name="Save", exact=True).click()
    expect(lead.get_by_role("heading", name="strict")).to_be_visible()
    assert '"at_least": 0.95' in lead.locator("#content").input_value()


def test_an_administrator_decides_otherwise_and_manages_a_review(site: Site, lead: Page) -> None:
    lead.goto(site.url + "/console/review/verdicts/job-0")
    expect(lead.get_by_role("heading", name="Approved")).to_be_visible()
    expect(lead.get_by_text("Checkpoint 5 is approved: it passed its only rule.")).to_be_visible()
    expect(lead.get_by_text("exact_match on the test split: 0.900 (n 40); base model 0.100.")).to_be_visible()
    expect(lead.get_by_role("link", name="Answers on the test split (40)")).to_be_visible()
    expect(lead.get_by_role("link", name="Open in Serve")).to_be_visible()
    check_page(lead)
    reject, approve = (lead.get_by_role("button", name=name) for name in ("Reject", "Approve"))
    expect(approve).to_have_count(0)
    expect(lead.get_by_text("stays in service until you roll its name back")).to_be_visible()
    reject.click()
    assert lead.get_by_label("Why").evaluate("e => e.validity.valueMissing")
    lead.get_by_label("Why").fill("the questions were too easy")
    reject.click()
    expect(lead.get_by_role("heading", name="Rejected")).to_be_visible()
    expect(
        lead.get_by_text("Checkpoint 5 was rejected by Lea, not by the rules: the questions were too easy")
    ).to_be_visible()
    expect(lead.get_by_role("button", name="Reject")).to_have_count(0)
    expect(approve).to_be_visible()
    expect(lead.get_by_role("link", name="Open in Serve")).to_have_count(0)
    lead.goto(site.url + REVIEW + "/panel")
    lead.get_by_label("Why; needed").fill("no")
    lead.get_by_role("button", name="Cancel the review").click()
    expect(lead.get_by_text("give a reason of 3 to 2000 characters")).to_be_visible()
    assert lead.get_by_label("Why; needed").input_value() == "no"
    lead.get_by_label("Deadline in hours from now").fill("12")
    lead.get_by_role("button", name="Set the deadline").click()
    expect(lead.get_by_role("row", name="deadline")).to_be_visible()
    check_page(lead)


def test_every_page_of_review_fits_a_phone_and_shows_a_reviewers_name_as_text(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, HOSTILE, "admin", viewport={"width": 360, "height": 800})
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(site.url + REVIEW + "/panel")
    page.get_by_label("Deadline in hours from now").fill("24")
    page.get_by_role("button", name="Set the deadline").click()
    expect(page.get_by_role("row", name="deadline").last).to_contain_text(HOSTILE)
    paths = ("/console/review/", SETS, POLICIES, POLICIES + "/quick", REVIEW, "/console/review/verdicts/job-0")
    for path in (*paths, REVIEW + "/pairs", REVIEW + "/panel", REVIEW + "/baselines"):
        page.goto(site.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert_no_sideways_scroll(page)
    page.context.close()


def test_the_pages_of_policies_pairs_and_questions_speak_chinese(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "安娜", "admin", locale="zh-CN")
    for path in (SETS, POLICIES, POLICIES + "/quick", REVIEW + "/pairs", REVIEW + "/panel", REVIEW + "/baselines"):
        page.goto(site.url + path)
        # Pairs come in a random order, so any answer may be shown.
        answers = ["Old.", "Another answer.", HOSTILE]
        allowed = ["people", "quick", "strict", "shop", *answers, "Excel", "JSON", "CSV", "Esc"]
        assert [text for text in english_left(page, allowed) if len(text) > 3] == []
    page.context.close()


def test_the_lists_make_few_queries_whatever_their_length(
    site: Site, lead: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("get", "find"):
        monkeypatch.setattr(Collection, name, counted(asked, name, getattr(Collection, name)))
    for path, most in (
        ("/console/review/", 2),
        (SETS, 1),
        (POLICIES, 1),
        (f"{POLICIES}/quick", 1),
        (f"{REVIEW}/baselines", 7),
    ):
        asked.clear()
        lead.goto(site.url + path)
        assert len(asked) <= most, f"{path}: {asked}"


def counted(asked: list[str], name: str, query: Any) -> Any:
    """The query, noted each time, but for those of the loop that closes reviews."""

    async def ask(self: Any, *arguments: Any, **where: Any) -> Any:
        task = asyncio.current_task()
        if task is None or "Completion.run" not in repr(task.get_coro()):
            asked.append(f"{name} {arguments} {where}")
        return await query(self, *arguments, **where)

    return ask


def test_another_origin_cannot_send_the_forms(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "Lea", "admin")
    path = f"{site.url}{POLICIES}/quick"
    form = {"content": "{}", "name": "quick", "do": "save"}
    answer = page.request.post(path, form=form, headers={"origin": "https://elsewhere.example"})
    assert answer.status == 403
    page.context.close()

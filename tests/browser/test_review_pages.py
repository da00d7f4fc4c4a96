"""Reviewers in the browser: calibration, scoring by keyboard with a reload, adjudication, the verdict; Chinese."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.checks import (
    PAGE_BYTES,
    SCRIPT_BYTES,
    assert_no_sideways_scroll,
    check_page,
    english_left,
    first_screen,
)
from tests.browser.review_data import HOSTILE, REVIEW, review_site, reviewer
from tests.browser.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with review_site(tmp_path) as site:
        yield site


def score(page: Page, *keys: str) -> None:
    """Score the item on the screen by keyboard, and wait for the next one."""
    before = page.locator("[data-item]").get_attribute("data-item")
    for key in (*keys, "Enter"):
        page.keyboard.press(key)
    expect(page.locator(f"[data-item='{before}']")).to_have_count(0)


def calibrate(page: Page, site: Site) -> None:
    page.goto(site.url + "/console/review/")
    page.locator("main a.pri").click()
    expect(page.locator("[data-item='calibration-1']")).to_be_visible()
    score(page, "5", "5", "5")


def test_two_reviewers_from_calibration_to_the_verdict(site: Site, browser: Browser) -> None:
    first = reviewer(browser, site, "Ana", "review")
    calibrate(first, site)
    first.keyboard.press("4")
    first.reload()
    expect(first.get_by_text("Answer 1 of 3")).to_be_visible()
    item = first.locator("[data-item]").get_attribute("data-item")
    score(first, "5", "5", "5")
    first.keyboard.press("u")
    expect(first.locator(f"[data-item='{item}']")).to_be_visible()
    score(first, "5", "5", "5")
    score(first, "5", "5", "5")
    first.keyboard.press("c")
    first.keyboard.type("123 is part of the comment")
    first.keyboard.press("Escape")
    for key in ("5", "5", "5", "Enter"):
        first.keyboard.press(key)
    expect(first.get_by_text("Nothing is left for you here.")).to_be_visible()

    second = reviewer(browser, site, "Ben", "review")
    calibrate(second, site)
    score(second, "1", "5", "5")
    score(second, "5", "5", "5")
    for key in ("5", "5", "5", "Enter"):
        second.keyboard.press(key)
    expect(second.get_by_text("Nothing is left for you here.")).to_be_visible()

    lead = reviewer(browser, site, "Lea", "admin")
    lead.goto(site.url + "/console/review/")
    expect(lead.get_by_text("Nothing to review now.")).to_have_count(0)
    lead.get_by_role("link", name="Decide").click()
    disputed = lead.get_by_role("region", name="Reviewers differ, 1 of 1: Accuracy, 4 points apart")
    expect(disputed.first).to_be_visible()
    for name in ("Ana", "Ben"):
        expect(lead.get_by_role("rowheader", name=name)).to_be_visible()
        expect(disputed.get_by_text(name)).to_have_count(0)
    expect(disputed.last.get_by_text("wrong, does harm", exact=True)).to_be_visible()
    expect(lead.get_by_text("Accuracy: the reviewers agree on 2 of 3 answers.")).to_be_visible()
    check_page(lead)
    code = lead.locator("#code-decide").text_content() or ""
    assert '-d \'{"scores": {"accuracy": 5, "politeness": 5, "usefulness": 5}, "reason": ""}\'' in code
    accuracy, politeness = (lead.get_by_label(f"Your decision: {name}") for name in ("Accuracy", "Politeness"))
    assert (accuracy.input_value(), politeness.input_value()) == ("", "5")
    lead.get_by_role("button", name="Save this decision").click()
    assert accuracy.evaluate("e => e.validity.valueMissing"), "nothing is recorded that nobody chose"
    accuracy.select_option("4")
    lead.get_by_role("button", name="Save this decision").click()
    expect(disputed).to_have_count(0)
    for _ in range(40):
        lead.goto(site.url + "/console/review/verdicts/job-1")
        if lead.get_by_role("heading", name="Approved").count():
            break
        lead.wait_for_timeout(100)
    expect(lead.get_by_role("heading", name="Approved")).to_be_visible()
    expect(lead.get_by_text("Checkpoint 10 is approved: it passed its only rule.")).to_be_visible()
    rule = lead.get_by_role("row", name="human score at least 70")
    expect(rule).to_contain_text("3 answers by 2 reviewers")
    expect(rule.get_by_role("cell").first).to_have_text("96.7")
    expect(lead.get_by_role("columnheader", name="Accuracy · Politeness · Usefulness")).to_be_visible()
    check_page(lead)
    for page in (first, second, lead):
        page.context.close()


def test_an_answer_is_saved_only_with_all_its_scores_and_the_page_names_the_missing_one(
    site: Site, browser: Browser
) -> None:
    page = reviewer(browser, site, "Ana", "review")
    calibrate(page, site)
    expect(page.get_by_text(re.compile("^practice answer saved [0-9]{2}:[0-9]{2}$"))).to_be_visible()
    save, undo = page.get_by_role("button", name="Save, next"), page.get_by_role("button", name="Undo last")
    expect(undo).to_be_disabled()
    for key in ("4", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("2 of 3 scored")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="Not scored yet: Usefulness")).to_be_visible()
    expect(save).to_be_disabled()
    assert save.get_attribute("title") == "Not scored yet: Usefulness"
    page.keyboard.press("5")
    expect(save).to_be_enabled()
    expect(page.get_by_role("alert").filter(has_text="Not scored yet")).to_have_count(0)
    save.click()
    expect(page.get_by_text("Answer 2 of 3")).to_be_visible()
    expect(undo).to_be_enabled()
    expect(page.get_by_text(re.compile("^last answer saved"))).to_be_visible()
    page.context.close()


def test_the_next_item_appears_within_100_ms_of_the_last_key(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "Ana", "review")
    calibrate(page, site)
    page.wait_for_load_state("networkidle")
    for key in ("3", "3", "3"):
        page.keyboard.press(key)
    took_ms = page.evaluate(
        """() => new Promise((done) => {
          const begin = performance.now(), work = document.getElementById("work");
          new MutationObserver(() => done(performance.now() - begin)).observe(work, {childList: true});
          document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
        })"""
    )
    assert took_ms < 100
    page.context.close()


def test_markup_in_an_answer_is_shown_as_text(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "Ana", "review")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    calibrate(page, site)
    shown: list[str] = []
    for _ in range(2):
        shown.append(page.locator("#answer").inner_text())
        score(page, "3", "3", "3")
    shown.append(page.locator("#answer").inner_text())
    assert HOSTILE in shown
    page.context.close()


def test_scoring_on_a_phone_keeps_within_the_screen_and_the_budget(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "Ana", "review")
    with first_screen(page) as counted:
        page.goto(site.url + REVIEW)
    assert counted["sent"] < PAGE_BYTES
    assert counted["script"] < SCRIPT_BYTES
    check_page(page)
    for width in (390, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert_no_sideways_scroll(page)
    page.goto(site.url + "/console/review/")
    check_page(page)
    page.context.close()


def test_the_pages_speak_chinese(site: Site, browser: Browser) -> None:
    page = reviewer(browser, site, "安娜", "review", locale="zh-CN")
    page.goto(site.url + "/console/review/")
    expect(page.get_by_role("heading", name="我的评审")).to_be_visible()
    assert english_left(page, ["people"]) == []
    page.goto(site.url + REVIEW)
    allowed = ["people", "Enter", "Two years.", "two years", "How long is the warranty?"]
    assert english_left(page, allowed) == []
    score(page, "5", "5", "5")
    expect(page.get_by_text("第 1 个回答，共 3 个")).to_be_visible()
    page.context.close()

"""Reviewers in the browser: calibration, scoring by keyboard with a reload, adjudication, the verdict; Chinese."""

from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from litestar.di import Provide
from playwright.sync_api import Browser, BrowserContext, Page, expect

from services.review.pages.routes import HANDLERS, PAGES
from services.review.panels import api as panels_api
from services.review.panels import manage_api
from services.review.panels.calibration import KnownItem
from services.review.panels.domain.item import Item
from services.review.panels.domain.review import review_id
from services.review.panels.parts import Panels, Records
from services.review.policies.catalog import Binding, PolicyCatalog
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.domain.policy import Policy
from services.review.problems import problems
from services.review.runs.advising import Advising
from services.review.runs.domain.run import Run
from services.review.runs.job_evaluations import EvaluationRecord, JobEvaluations
from services.review.runs.proving import Proving
from services.review.runs.service import Runs
from shared.artifacts import Artifacts
from shared.events import EvaluationAnswered
from shared.pages.rendering import Pages
from shared.pages.router import pages_router
from shared.store import MemoryStore
from tests.browser.checks import (
    PAGE_BYTES,
    SCRIPT_BYTES,
    assert_no_sideways_scroll,
    check_page,
    english_left,
    first_screen,
)
from tests.browser.site import Site, serving
from tests.unit.review.evidence import candidate, evaluation, finish, sample_lines

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
KNOWN = KnownItem(
    Item(id="calibration-1", prompt="How long is the warranty?", reference="two years", answer="Two years."),
    {"accuracy": 5, "politeness": 5, "usefulness": 5},
)
POLICY = Policy.model_validate(
    {
        "name": "people",
        "mode": "human",
        "items_per_review": 3,
        "reviewers_wanted": 2,
        "adjudicate_from": 2,
        "calibration": "warm-up",
    }
)


# The browser shares two cores with everything else that a test run starts.
expect.set_options(timeout=20_000)


class Service:
    """The use cases of review over memory, with one run that waits for people."""

    def __init__(self, folder: Path) -> None:
        store, self.artifacts = MemoryStore("review"), Artifacts(str(folder / "artifacts"))
        self.records = Records.of(store)
        catalog = PolicyCatalog(
            policies=store.collection("policies", NamedPolicy),
            bindings=store.collection("bindings", Binding),
            shipped={"people": POLICY},
            files=self.artifacts,
            default="people",
            jobs_using=self._none,
        )
        runs = store.collection("runs", Run)
        evaluations = JobEvaluations(store.collection("evaluations", EvaluationRecord))
        self.runs = Runs(
            runs=runs,
            evaluations=evaluations,
            catalog=catalog,
            proving=Proving(self.artifacts),
            advising=Advising(runs, evaluations),
            end_review=self.records.ending().end,
            questions_revision=self._no_revision,
            open_review=self.records.opening(self.artifacts).open,
            answered=self._not_asked,
        )
        self.panels = Panels.of(
            self.records, decide=self.runs.people_decided, run_reopened=self.runs.reopened, known_items=self._known
        )

    async def _none(self, _policy: str) -> int:
        return 0

    async def _no_revision(self, _name: str) -> None:
        return None

    async def _not_asked(self, _event: EvaluationAnswered) -> None:
        return None

    async def _known(self, _name: str) -> list[KnownItem]:
        return [KNOWN]

    @asynccontextmanager
    async def lifespan(self, app: Any) -> Any:
        lines = sample_lines(3).replace(b'"a0"', b'"' + HOSTILE.encode() + b'"')
        await self.runs.evaluated(evaluation(10, 0.9, samples=self.artifacts.put_bytes(lines)))
        await self.runs.finished(finish(10))
        async with self.panels.lifespan(app):
            yield


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    service = Service(tmp_path)
    # Each site has a router with pages of its own, because Litestar copies its exception handlers.
    pages = pages_router("/console/review", HANDLERS, Pages("review", PAGES.folder), scopes=["review", "train"])
    routes = [pages, panels_api.routes, manage_api.routes]
    dependencies = {"runs": service.runs, **service.panels.dependencies()}
    options: dict[str, Any] = {
        "dependencies": {name: _provide(value) for name, value in dependencies.items()},
        "exception_handlers": problems,
        "lifespan": [service.lifespan],
    }
    with serving(routes, tmp_path, **options) as site:
        yield site


def _provide(value: object) -> Any:
    return Provide(lambda: value, sync_to_thread=False)


REVIEW = f"/console/review/reviews/{review_id(candidate(10))}"


def reviewer(browser: Browser, site: Site, name: str, *scopes: Any, locale: str = "en-GB", **options: Any) -> Page:
    context: BrowserContext = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale=locale, color_scheme="light", **options
    )
    site.sign_in(context, *scopes, name=name)
    page = context.new_page()
    page.set_default_timeout(15_000)
    return page


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
    lead.goto(site.url + REVIEW + "/panel")
    expect(lead.get_by_text("Reviewers differ: decide")).to_be_visible()
    check_page(lead)
    for name in ("accuracy", "politeness", "usefulness"):
        lead.locator(f"select[name={name}]").select_option("4")
    lead.get_by_role("button", name="Decide").click()
    expect(lead.get_by_text("Reviewers differ: decide")).to_have_count(0)
    for _ in range(40):
        lead.goto(site.url + "/console/review/verdicts/job-1")
        if lead.get_by_role("heading", name="Approved").count():
            break
        anyio.run(anyio.sleep, 0.1)
    expect(lead.get_by_role("heading", name="Approved")).to_be_visible()
    expect(lead.get_by_text("human_score 91.7 ≥ 70.0")).to_have_count(2)
    check_page(lead)
    for page in (first, second, lead):
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

"""What every page of the console keeps: accessible, narrow, small, reached by keyboard alone, in both languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from services.evaluator.pages.routes import routes as evaluator_pages
from services.gateway.console.pages import invitation, sign_in
from services.gateway.console.pages.routes import ROUTES as GATEWAY_PAGES
from services.ingest.pages.routes import routes as ingest_pages
from services.review.pages.routes import routes as review_pages
from services.trainer.pages.routes import routes as trainer_pages
from tests.browser.checks import (
    CURVE_PAGE_BYTES,
    PAGE_BYTES,
    SCRIPT_BYTES,
    assert_reached_by_keyboard,
    check_page,
    english_left,
    first_screen,
)
from tests.browser.console_pages import PAGES, ConsolePage, Opened
from tests.browser.evaluator_data import HOSTILE

FEW = 60
ROUTERS = (
    *(evaluator_pages, ingest_pages, review_pages, trainer_pages),
    *(invitation.routes, sign_in.routes, *GATEWAY_PAGES),
)
# Is there only after people have decided: `test_review_pages` opens it.
LATER = {"/console/review/verdicts/{job_id}/items/{item_id}"}
# What pages fetch for a part of themselves, downloads, a stream, and an address that leads to another.
PARTS = {
    *("/console/evaluator/compare/export", "/console/ingest/example", "/console/serve/playground/preferences"),
    *("/console/ingest/begin", "/console/ingest/files/{file_id}/state", "/console/ingest/datasets/{dataset_id}/twins"),
    *("/console/ingest/datasets/{dataset_id}/difference", "/console/ingest/datasets/{dataset_id}/first-rows"),
    *("/console/review/waiting", "/console/review/reviews/{review_id}/next"),
    "/console/review/reviews/{review_id}/items/{item_id}",
    *("/console/trainer/new/plan", "/console/trainer/jobs/{job_id}/arrived", "/console/trainer/jobs/{job_id}/stream"),
    *("/console/trainer/jobs/{job_id}/checkpoints", "/console/jobs/{job_id}/scores", "/console/jobs/{job_id}/verdict"),
    *("/console/home/line", "/console/serve/engines", "/console/serve/consequence", "/console/admin"),
}
# Of people, files, models, metrics and formats: the same in every language. Questions and answers stay as they are.
NAMES = (
    *("Ana Ruiz", "Lin Yue", "file-", "x.jsonl", "rows.jsonl", "large.jsonl", "support", "shop", HOSTILE, "men"),
    *("women", "smollm2-135m-instruct", "kefu", "intents", "invoice-fields", "shop-assistant", "all-linear", "LoRA"),
    *("ftjob-", "score", "exact_match", "faq", "loans", "intent", "general", "Excel", "CSV", "curl", "Python"),
    *("people", "quick", "gateway", "admin", "train", "review", "infer", "How long is the warranty?", "Two years."),
    *("Old.", "Answer.", "Question 000", "In the north.", "In the south.", "Where is the shop in the city of Leeds?"),
    "<script>alert(1)</script>",
)


@dataclass(frozen=True)
class OpenedPart:
    """A part of the console with its site, for all tests of its pages."""

    name: str
    opened: Opened
    pages: tuple[ConsolePage, ...]


@pytest.fixture(scope="module", params=PAGES)
def part(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedPart]:
    open_site, pages = PAGES[request.param]
    with open_site(tmp_path_factory.mktemp(request.param), FEW) as opened:
        yield OpenedPart(request.param, opened, pages)


def test_each_page_is_accessible_small_and_reached_by_keyboard(part: OpenedPart, page: Page) -> None:
    part.opened.site.sign_in_with(page.context, part.opened.secret)
    for each in part.pages:
        with first_screen(page) as counted:
            answer = page.goto(part.opened.url(each))
        assert answer is not None
        assert answer.status == 200, each
        assert counted["sent"] < (CURVE_PAGE_BYTES if each.has_curve else PAGE_BYTES), each
        assert counted["script"] < SCRIPT_BYTES, each
        assert_reached_by_keyboard(page)
        check_page(page, widths=(360, 1024) if part.name == "review" else (1024,))


def test_each_page_speaks_chinese(part: OpenedPart, browser: Browser) -> None:
    with browser.new_context(locale="zh-CN") as context:
        part.opened.site.sign_in_with(context, part.opened.secret)
        page = context.new_page()
        left = {each.name: _english(page, part.opened, each) for each in part.pages}
    assert {name: texts for name, texts in left.items() if texts} == {}


def _english(page: Page, opened: Opened, each: ConsolePage) -> list[str]:
    page.goto(opened.url(each))
    return english_left(page, NAMES)


def test_no_page_is_forgotten() -> None:
    """A page that is added to a service and not to `PAGES` fails here."""
    opened = [urlsplit(each.path).path.rstrip("/") for _, pages in PAGES.values() for each in pages]
    routes = {route.path_format for router in ROUTERS for route in router.routes if _answers_get(route)}
    assert routes >= PARTS, "an address that is gone"
    patterns = {path: re.compile(re.sub(r"{\w+}", "[^/]+", path)) for path in routes - PARTS - LATER}
    assert [path for path, pattern in patterns.items() if not any(map(pattern.fullmatch, opened))] == []


def _answers_get(route: Any) -> bool:
    return "GET" in getattr(route, "methods", ())

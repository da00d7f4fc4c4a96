"""Base models compared before any training: asked in a form, followed, and shown side by side."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import post
from litestar.params import FromPath
from playwright.sync_api import Page, expect

from services.evaluator.pages.routes import routes
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.evaluator_data import BASE, HOSTILE, OTHER_BASE, EvaluatorData
from tests.browser.site import Site, serving
from tests.browser.without_deadline import without_deadline

OWN = (
    "shop",
    "faq",
    "intent",
    "fuzzy",
    "accuracy",
    "Ana Ruiz",
    "admin",
    BASE,
    OTHER_BASE,
    "ftjob-",
    "general",
    "loans",
    HOSTILE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data = EvaluatorData(tmp_path_factory.mktemp("data"))

    @post("/answer/{evaluation_id:str}")
    async def answer(evaluation_id: FromPath[str]) -> dict[str, Any]:
        """What the handler of `evaluation.requested` does."""
        found = await data.requests.get(evaluation_id)
        assert found is not None
        assert found.requested is not None
        await data.requested.requested(found.requested)
        return {}

    folder = tmp_path_factory.mktemp("site")
    with without_deadline(), serving([routes, answer], folder, data.provide, lifespan=[data.filled]) as site:
        yield site


def test_base_models_are_asked_followed_and_compared(site: Site, page: Page) -> None:
    site.sign_in(page.context, "admin")
    with first_screen(page) as counted:
        page.goto(f"{site.url}/console/evaluator/requests")
    assert counted["sent"] < PAGE_BYTES
    check_page(page)
    page.get_by_label(BASE, exact=True).check()
    page.get_by_label("Suite").select_option("shop")
    page.get_by_role("button", name="Ask them").click()
    expect(page.get_by_role("alert").filter(has_text="That was not asked")).to_contain_text("2 to 4 models")
    expect(page.get_by_label(BASE, exact=True)).to_be_checked()
    expect(page.get_by_label("Suite")).to_have_value("shop")
    page.get_by_label(OTHER_BASE, exact=True).check()
    page.get_by_label("shop, checkpoint 310").check()
    page.get_by_role("button", name="Ask them").click()
    expect(page.locator("main")).to_contain_text("Waits for an evaluator")
    check_page(page)
    page.request.post(f"{site.url}/answer/{page.url.rpartition('/')[2]}", headers={"origin": site.url}, timeout=60_000)
    # The page goes on by itself.
    expect(page.locator("main")).to_contain_text("What the tests say", timeout=15_000)
    expect(page.locator(".head")).to_contain_text("3 models, 89 questions of the suite shop")
    expect(page.locator(".cmp thead")).to_contain_text("shop, checkpoint 310")
    expect(page.locator(".cmp")).to_contain_text("shop.intent.accuracy")
    expect(page.locator(".cmp")).to_contain_text("no difference")
    check_page(page)
    page.get_by_role("link", name=OTHER_BASE).first.click()
    expect(page.locator(".seg").first.locator("[aria-current]")).to_have_text(OTHER_BASE)
    page.goto(f"{page.url.partition('?')[0]}?language=zh")
    assert english_left(page, OWN) == []
    page.goto(f"{site.url}/console/evaluator/requests?language=en")
    expect(page.locator("tbody th").first).to_have_text(f"{BASE}; {OTHER_BASE}; shop, checkpoint 310")
    page.goto(f"{site.url}/console/evaluator/requests?language=zh")
    assert english_left(page, OWN) == []


def test_the_evaluation_of_another_person_is_not_found(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/evaluator/requests")
    expect(page.locator("main")).not_to_contain_text("Asked before")
    page.get_by_label(BASE, exact=True).check()
    page.get_by_label(OTHER_BASE, exact=True).check()
    page.get_by_label("Suite").select_option("general")
    page.get_by_role("button", name="Ask them").click()
    address = page.url
    page.context.clear_cookies()
    site.sign_in(page.context, "train", name="Jonas Weber")
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404

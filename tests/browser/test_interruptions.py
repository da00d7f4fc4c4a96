"""Ended sessions, lost connections, services that are away, closed and second tabs: nothing that was typed is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from services.trainer.pages.routes import routes as trainer_routes
from tests.browser.checks import check_page
from tests.browser.review_data import review_site, reviewer
from tests.browser.serving_data import ENGINES, NAME, ServingData, filled
from tests.browser.site import Site, at_once, serving
from tests.browser.test_serve_pages import answer_as_gateway, site_with
from tests.browser.trainer_data import add, run, store_of_runs, use_cases


@pytest.fixture
def data() -> ServingData:
    return filled()


@pytest.fixture
def site(data: ServingData, tmp_path: Path) -> Iterator[Site]:
    with site_with(data, tmp_path) as site:
        yield site


def test_a_form_that_is_sent_after_the_session_has_ended_is_sent_again_by_a_reload(
    site: Site, data: ServingData, page: Page
) -> None:
    site.sign_in(page.context, "admin")
    page.goto(f"{site.url}/console/serve/")
    page.get_by_label("Address").fill("http://10.0.0.7:8000")
    page.context.clear_cookies()
    page.get_by_role("button", name="Add the engine").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your session has ended")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")
    check_page(page)
    # In another tab.
    site.sign_in(page.context, "admin")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("region", name="Engines")).to_contain_text("10.0.0.7:8000")
    [pool] = at_once(data.pools.listed())
    assert pool.replicas == [*ENGINES, "http://10.0.0.7:8000"]


def test_a_question_stays_when_the_connection_is_lost_and_can_be_sent_again(site: Site, page: Page) -> None:
    site.sign_in(page.context, "infer")
    page.route("**/v1/chat/completions", lambda route: route.abort())
    page.goto(f"{site.url}/console/serve/playground?a={NAME}")
    page.get_by_label("Message").fill("Where is it?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert").filter(has_text="Nothing that you typed is lost")).to_be_visible()
    expect(page.get_by_label("Message")).to_have_value("Where is it?")
    page.unroute("**/v1/chat/completions")
    answer_as_gateway(page)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article")).to_contain_text("It is so")


def test_an_engine_that_was_added_in_two_tabs_is_there_once(site: Site, data: ServingData, page: Page) -> None:
    site.sign_in(page.context, "admin")
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{site.url}/console/serve/")
        tab.get_by_label("Address").fill("http://10.0.0.7:8000")
    for tab in (page, other):
        tab.get_by_role("button", name="Add the engine").click()
        expect(tab.get_by_role("region", name="Engines")).to_contain_text("10.0.0.7:8000")
    [pool] = at_once(data.pools.listed())
    assert pool.replicas == [*ENGINES, "http://10.0.0.7:8000"]


def test_the_page_of_a_run_says_that_its_service_is_away_and_goes_on_when_it_is_back(
    page: Page, tmp_path: Path
) -> None:
    store = store_of_runs()
    add(store, run("ftjob-open", "running", started_at=1), 3)
    with serving([trainer_routes], tmp_path, lambda *_: use_cases(store)) as site:
        site.sign_in(page.context, "admin")
        page.route("**/console/jobs/**", lambda route: route.fulfill(status=200, body="<p></p>"))
        answers = iter([{"status": 200, "content_type": "text/event-stream", "body": "retry: 200\n\n"}])
        # The first stream ends, and the service does not answer when the page asks for it again.
        page.route("**/jobs/ftjob-open/stream", lambda route: route.fulfill(**next(answers, {"status": 503})))
        page.goto(f"{site.url}/console/trainer/jobs/ftjob-open")
        expect(page.locator("#away")).to_be_visible()
        expect(page.locator("#head")).to_contain_text("Step 3 of 620")
        page.unroute("**/jobs/ftjob-open/stream")
        expect(page.locator("#away")).to_be_hidden(timeout=20_000)


@pytest.mark.parametrize(("refusal", "box"), [({"status": 503}, "#away"), (None, "#lost")])
def test_a_stream_whose_first_answer_is_a_refusal_is_opened_again(
    browser: Browser, tmp_path: Path, refusal: dict[str, int] | None, box: str
) -> None:
    store = store_of_runs()
    add(store, run("ftjob-open", "running", started_at=1), 3)
    with serving([trainer_routes], tmp_path, lambda *_: use_cases(store)) as site:
        # Not the fixture's tab: htmx writes a request that cannot be sent to the console.
        page = reviewer(browser, site, "Ana", "admin")
        page.route("**/console/jobs/**", lambda route: route.fulfill(status=200, body="<p></p>"))
        page.route("**/jobs/ftjob-open/stream", lambda route: route.fulfill(**refusal) if refusal else route.abort())
        page.goto(f"{site.url}/console/trainer/jobs/ftjob-open")
        expect(page.locator(box)).to_be_visible()
        expect(page.locator("#head")).to_contain_text("Step 3 of 620")
        page.unroute("**/jobs/ftjob-open/stream")
        with page.expect_response("**/jobs/ftjob-open/stream", timeout=20_000) as opened:
            pass
        assert opened.value.status == 200
        expect(page.locator(box)).to_be_hidden()
        page.context.close()


def test_a_reviewer_who_closed_the_tab_goes_on_where_they_were(browser: Browser, tmp_path: Path) -> None:
    with review_site(tmp_path) as site:
        first = reviewer(browser, site, "Ana", "review")
        first.goto(f"{site.url}/console/review/")
        first.get_by_role("link", name="Score").click()
        item = first.locator("[data-item]").get_attribute("data-item")
        first.keyboard.press("5")
        context = first.context
        first.close()
        again = context.new_page()
        again.goto(f"{site.url}/console/review/")
        again.get_by_role("link", name="Score").click()
        expect(again.locator(f"[data-item='{item}']")).to_be_visible()
        context.close()

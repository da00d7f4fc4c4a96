"""A browser for the tests of pages, and pages in every language and theme."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import chromium
from tests.browser.counted_queries import Counted, count_queries
from tests.browser.watched import Watched

# Beside the other tests' processes a page takes longer than alone. What never comes still fails.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one file of tests: while Playwright runs, no test with a loop of its own can run in the process."""
    found = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.path, args=found.arguments, env=dict(found.environment) or None
        )
        yield browser
        browser.close()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The queries that the test's pages make."""
    return count_queries(monkeypatch)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own, without cookies, 1280 wide, in English and light. A test that writes to the console fails."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", color_scheme="light", timezone_id="Europe/Berlin"
    )
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    watched = Watched(tab)
    yield tab
    context.close()
    watched.expect_nothing()

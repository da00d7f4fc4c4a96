"""Prompt templates in a browser: the list, the editor, the sample on rows of a dataset, versions."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shared.events import PromptTemplate, TemplateRef, UploadOptions
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.data_page_site import DataPages, data_site
from tests.browser.site import Site, at_once
from tests.prepared import filler

HOSTILE = "<script>alert(1)</script>"
OWN = ("support", "Ana Ruiz", "train", "rows.csv", "file-")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataPages:
    return DataPages(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def site(data: DataPages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with data_site(data, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def person(site: Site, data: DataPages, page: Page) -> str:
    """A signed-in engineer with a table of questions that names a shop in each row; returns who they are."""
    secret = site.sign_in(page.context, "train")
    person = site.keyring.authenticate(f"Bearer {secret}").person
    lines = (row["messages"] for row in filler(30))
    rows = [f"{asked['content']} {{shop}},{said['content']},Leeds {HOSTILE}" for asked, said in lines]
    table = "\n".join(["question,answer,shop", *rows]).encode()
    at_once(data.templates.publish(person, PromptTemplate(name="support", version=1), None))
    options = UploadOptions(template=TemplateRef(name="support"))
    data.check(f"file-{person}", table, "rows.csv", owner=person, created_at=1, options=options)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return person


def test_a_template_is_written_with_a_sample_and_saved_as_versions(site: Site, person: str, page: Page) -> None:
    page.goto(f"{site.url}/console/ingest/templates/")
    page.get_by_role("link", name="New template").first.click()
    page.get_by_label("Name").fill("polite")
    page.get_by_label("Words around the input").fill(f"{HOSTILE} in {{shop}}: {{input}}")
    page.get_by_role("button", name="Show the sample").click()
    shown = page.locator("#sample article")
    expect(shown).to_have_count(3)
    expect(shown.first).to_contain_text(f"{HOSTILE} in Leeds {HOSTILE}: ")
    # What looks like a placeholder within a value stays text.
    expect(shown.first.locator("mark").nth(1)).to_contain_text("{shop}")
    check_page(page)
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("polite")
    page.get_by_role("textbox", name="System part").fill("Be brief.")
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.locator("section:has(#versions) li")).to_have_count(2)
    page.get_by_role("link", name="Version 1").click()
    expect(page.locator("main")).to_contain_text("This is an earlier version")
    expect(page.get_by_role("textbox", name="System part")).to_have_value("")
    check_page(page)


def test_a_template_that_is_refused_keeps_what_was_typed(site: Site, person: str, page: Page) -> None:
    page.goto(f"{site.url}/console/ingest/new-template")
    page.get_by_label("Name").fill("no good name")
    page.get_by_label("Words around the input").fill(f"no place for the question {HOSTILE}")
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_role("alert").first).to_contain_text("name: ")
    expect(page.get_by_label("Words around the input")).to_have_value(f"no place for the question {HOSTILE}")
    page.get_by_label("Name").fill("good-name")
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_role("alert").first).to_contain_text("`user` must contain {input}")
    check_page(page)


def test_a_field_that_rows_do_not_have_is_named_in_the_sample(site: Site, person: str, page: Page) -> None:
    page.goto(f"{site.url}/console/ingest/templates/support")
    expect(page.locator("#sample article")).to_have_count(3)
    expect(page.locator("section:has(#used)")).to_contain_text("rows.csv")
    page.get_by_label("Words around the input").fill("{city}: {input}")
    page.get_by_role("button", name="Show the sample").click()
    expect(page.locator("#sample")).to_contain_text("the prompt template needs the field 'city'")


def test_the_list_shows_own_templates_alone_in_both_languages(site: Site, person: str, page: Page) -> None:
    with first_screen(page) as counted:
        page.goto(f"{site.url}/console/ingest/templates/")
    assert counted["sent"] < PAGE_BYTES
    expect(page.locator("tbody tr")).to_have_count(1)
    check_page(page)
    for path in ("templates/", "templates/support", "new-template"):
        page.goto(f"{site.url}/console/ingest/{path}?language=zh")
        page.wait_for_load_state("networkidle")
        # Names and rows are in the language of their writers.
        page.evaluate("document.querySelectorAll('.words').forEach((one) => one.remove())")
        assert english_left(page, OWN) == [], path
    page.context.clear_cookies()
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/ingest/templates/?language=en")
    expect(page.locator("main")).to_contain_text("No template yet")
    response = page.goto(f"{site.url}/console/ingest/templates/support")
    assert response is not None
    assert response.status == 404

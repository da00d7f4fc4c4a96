"""Suites in a browser: made from a table, read page by page, changed by typing, and deleted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.evaluator.pages.routes import routes
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.evaluator_data import HOSTILE, EvaluatorData
from tests.browser.site import Site, serving
from tests.browser.without_deadline import without_deadline

OWN = (
    "shop", "faq", "intent", "fuzzy", "accuracy", "exact_match", "json_fields", "Ana Ruiz", "question", "answer",
    "general", "english", "chinese", "key_", "Excel", "JSON", "CSV", "English", "Chinese", "lm-evaluation-harness",
    HOSTILE, "loans",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data = EvaluatorData(tmp_path_factory.mktemp("data"))
    folder = tmp_path_factory.mktemp("site")
    with without_deadline(), serving([routes], folder, data.provide, lifespan=[data.published]) as site:
        yield site


@pytest.fixture
def engineer(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "train")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return page


def make(site: Site, page: Page, suite: str, rows: list[tuple[str, str]]) -> None:
    page.goto(f"{site.url}/console/evaluator/suites/new")
    page.get_by_label("Suite", exact=True).fill(suite)
    page.get_by_label("Task", exact=True).fill("faq")
    for number, (question, answer) in enumerate(rows, start=1):
        page.get_by_label(f"question of row {number}", exact=True).fill(question)
        page.get_by_label(f"answer of row {number}", exact=True).fill(answer)
    page.get_by_role("button", name="Save").click()


def test_a_suite_is_typed_read_and_changed(site: Site, engineer: Page) -> None:
    engineer.goto(f"{site.url}/console/evaluator/suites/new")
    check_page(engineer)
    make(site, engineer, "typed", [(HOSTILE, "yes"), ("Is it open?", "no")])
    expect(engineer).to_have_url(f"{site.url}/console/evaluator/suites/typed?task=faq&page=1")
    expect(engineer.locator("table")).to_contain_text(HOSTILE)
    check_page(engineer)
    engineer.get_by_role("link", name="Edit").click()
    check_page(engineer)
    engineer.get_by_label("answer of row 2", exact=True).fill("On Monday.")
    engineer.get_by_label("question of row 3", exact=True).fill("Where?")
    engineer.get_by_label("answer of row 3", exact=True).fill("In Bern.")
    engineer.get_by_role("button", name="Save as revision 2").click()
    expect(engineer.locator("tbody tr")).to_have_count(3)
    expect(engineer.locator("main")).to_contain_text("revision 2")
    expect(engineer.locator("table")).to_contain_text("On Monday.")


def test_what_is_refused_stays_typed(site: Site, engineer: Page) -> None:
    make(site, engineer, "Not A Name", [("Is it open?", "no")])
    expect(engineer.get_by_role("alert").filter(has_text="That was not saved")).to_contain_text("lower-case letters")
    expect(engineer.get_by_label("question of row 1", exact=True)).to_have_value("Is it open?")
    check_page(engineer)
    make(site, engineer, "refused", [("Is it open?", "no")])
    engineer.get_by_role("link", name="Edit").click()
    engineer.get_by_label("Metrics").fill("exakt_match")
    engineer.get_by_label("answer of row 1", exact=True).fill("On Monday.")
    engineer.get_by_role("button", name="Save as revision 2").click()
    expect(engineer.get_by_role("alert").filter(has_text="That was not saved")).to_contain_text("unknown metric")
    expect(engineer.get_by_label("answer of row 1", exact=True)).to_have_value("On Monday.")


def test_a_table_that_was_saved_meanwhile_is_not_overwritten(site: Site, engineer: Page) -> None:
    make(site, engineer, "shared", [("Is it open?", "no")])
    engineer.get_by_role("link", name="Edit").click()
    other = engineer.context.new_page()
    other.goto(engineer.url)
    other.get_by_label("answer of row 1", exact=True).fill("first")
    other.get_by_role("button", name="Save as revision 2").click()
    other.close()
    engineer.get_by_label("answer of row 1", exact=True).fill("second")
    engineer.get_by_role("button", name="Save as revision 2").click()
    expect(engineer.get_by_role("alert").filter(has_text="not saved")).to_contain_text(
        "revision 2 was saved after you opened the table"
    )
    expect(engineer.get_by_label("answer of row 1", exact=True)).to_have_value("second")


def test_a_table_is_uploaded_and_read_page_by_page(site: Site, engineer: Page, tmp_path: Path) -> None:
    table = tmp_path / "faq.csv"
    table.write_text("question,answer\n" + "".join(f"Question {n}?,Answer {n}\n" for n in range(120)))
    engineer.goto(f"{site.url}/console/evaluator/suites/new")
    engineer.get_by_label("Suite", exact=True).fill("uploaded")
    engineer.get_by_label("Task", exact=True).fill("faq")
    engineer.locator("input[type=file]").set_input_files(table)
    engineer.get_by_role("button", name="Save").click()
    expect(engineer.locator("main")).to_contain_text("120 rows")
    engineer.get_by_role("link", name="On", exact=True).click()
    expect(engineer.locator("tbody tr").first).to_contain_text("Question 50?")
    engineer.get_by_role("link", name="Edit").click()
    engineer.get_by_label("question of row 51", exact=True).fill("")
    engineer.get_by_label("answer of row 51", exact=True).fill("")
    engineer.get_by_role("button", name="Save as revision 2").click()
    expect(engineer.locator("main")).to_contain_text("119 rows")
    expect(engineer.locator("tbody tr").first).to_contain_text("Question 51?")


def test_a_suite_is_shared_and_deleted_by_its_owner_alone(site: Site, engineer: Page) -> None:
    make(site, engineer, "owned", [("Is it open?", "no")])
    engineer.get_by_label("everyone may read and use it").check()
    engineer.get_by_role("button", name="Save", exact=True).click()
    context = engineer.context.browser
    assert context is not None
    other = context.new_page()
    site.sign_in(other.context, "train", name="Jonas Weber")
    other.goto(f"{site.url}/console/evaluator/suites/owned")
    expect(other.locator("main")).to_contain_text("Is it open?")
    expect(other.get_by_role("link", name="Edit")).to_have_count(0)
    answer = other.request.post(f"{site.url}/console/evaluator/suites/owned/delete", headers={"origin": site.url})
    assert answer.status == 422
    other.context.close()
    engineer.get_by_text("Delete the suite").first.click()
    engineer.get_by_role("button", name="Delete the suite").click()
    expect(engineer).to_have_url(f"{site.url}/console/evaluator/suites")
    expect(engineer.locator("tbody")).not_to_contain_text("owned")


def test_the_list_and_the_shipped_suite_in_both_languages(site: Site, engineer: Page) -> None:
    with first_screen(engineer) as counted:
        engineer.goto(f"{site.url}/console/evaluator/suites")
    assert counted["sent"] < PAGE_BYTES
    check_page(engineer)
    shipped = engineer.get_by_role("row").filter(has_text="general")
    # Tasks, questions and revision, and the whole description.
    expect(shipped.locator("td.r")).to_contain_text(["2", "260", "1"])
    expect(shipped).to_contain_text("above chance as well.")
    expect(shipped).to_contain_text("comes with Assay")
    engineer.get_by_role("link", name="general").click()
    expect(engineer.locator(".head")).to_contain_text("revision 1, comes with Assay")
    check_page(engineer)
    for path in ("suites", "suites/general", "suites/new"):
        engineer.goto(f"{site.url}/console/evaluator/{path}?language=zh")
        assert english_left(engineer, OWN) == [], path

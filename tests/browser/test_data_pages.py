"""Datasets in a browser: list, page, rows, findings, upload, another check with other options."""

import base64
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Dialog, Page, expect

from services.ingest.domain.suite import Suite
from services.ingest.suites.questions import SuiteQuestion, write
from tests.browser.checks import (
    CURVE_PAGE_BYTES,
    PAGE_BYTES,
    assert_reached_by_keyboard,
    check_page,
    english_left,
    first_screen,
)
from tests.browser.data_page_site import DataPages, data_site
from tests.browser.site import Site, at_once
from tests.prepared import chat, filler, jsonl

HOSTILE = '<img src=x onerror="alert(1)">'
MANY = filler(60)
OWN = ("file-", "shop", "Ana Ruiz", "admin", "rows.jsonl", "questions")


def good_file() -> bytes:
    """Rows with an exact duplicate, twins, a question with several answers, tools and markup."""
    twins = [chat("How long does the delivery of a parcel take please", "Two days."), chat(f"Show {HOSTILE}", HOSTILE)]
    twins += [chat("How long does the delivery of a parcel take, please?", "Two days.")]
    several = [chat("Where is the shop in the city of Leeds?", one) for one in ("In the north.", "In the south.")]
    chinese = [chat(f"羽绒服第{n * 37}款可以机洗吗", f"可以，请用{n}度轻柔程序洗涤。") for n in range(30)]
    return jsonl([*MANY, MANY[0], *twins, *several, *chinese])


def bad_file() -> bytes:
    bad = [{"messages": []}, chat("", "empty"), {"messages": [{"role": HOSTILE, "content": "x"}]}]
    return jsonl([*MANY, *bad]) + b'{"messages": [{"role": "user", "cont\n'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataPages:
    data = DataPages(tmp_path_factory.mktemp("data"))
    asked = SuiteQuestion("faq", "How long does the delivery of a parcel take please")
    questions = data.artifacts.put_bytes(write(iter([asked])))
    suite = Suite(id=f"shop {HOSTILE}", number=3, questions=questions, count=1)
    at_once(data.datasets.suites.suites.create(suite))
    data.check("file-good", good_file(), f"questions {HOSTILE}.jsonl", created_at=100, dataset="shop")
    data.check(
        "file-more",
        good_file() + jsonl([chat("Is there a new row in it now?", "Yes.")]),
        created_at=200,
        dataset="shop",
    )
    data.check("file-bad", bad_file(), f"{HOSTILE}.jsonl", created_at=300)
    return data


@pytest.fixture(scope="module")
def site(data: DataPages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with data_site(data, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def admin(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "admin")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return page


def test_the_list_shows_each_file_and_filters_by_state(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        admin.goto(f"{site.url}/console/ingest/")
    assert counted["sent"] < PAGE_BYTES
    expect(admin.locator("tbody tr")).to_have_count(3)
    expect(admin.locator("tbody")).to_contain_text("shop, version 2")
    expect(admin.locator("tbody")).to_contain_text(f"{HOSTILE}.jsonl")
    check_page(admin)
    admin.get_by_label("Status").select_option("rejected")
    admin.get_by_role("button", name="Filter").click()
    expect(admin.locator("tbody tr")).to_have_count(1)
    expect(admin).to_have_url(f"{site.url}/console/ingest/?status=rejected&series=")


def test_the_page_of_a_dataset_shows_what_was_found(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        admin.goto(f"{site.url}/console/ingest/datasets/file-more")
    assert counted["sent"] < CURVE_PAGE_BYTES
    main = admin.locator("main")
    expect(main).to_contain_text("shop, version 2")
    expect(main.get_by_role("img", name="Rows by length in tokens")).to_be_visible()
    expect(main).to_contain_text("Rows new since version 1: 1; gone: 0.")
    expect(main.locator("#twins")).to_contain_text("both stay in one split")
    expect(main.get_by_role("navigation", name="Parts of this page").locator("[aria-current]")).to_have_text("Overview")
    expect(main.locator("#went li").filter(has_text="bad")).to_contain_text("none")
    expect(main.locator("section:has(#languages-title)")).to_contain_text("of all training rows, n ")
    expect(main.locator("#twins")).to_contain_text("In the north.")
    expect(main.locator("#rows article")).to_have_count(4)
    expect(main.locator("#suites")).to_contain_text(f"shop {HOSTILE}, faq")
    check_page(admin)


def test_the_context_is_the_one_that_a_job_takes_by_itself(site: Site, data: DataPages, admin: Page) -> None:
    advice = admin.locator("section:has(#advice-title)")
    admin.goto(f"{site.url}/console/ingest/datasets/file-good")
    expect(advice).to_contain_text("“auto” takes the most that the base model can read.")
    for context, title in ((2048, "A context of 2,048 tokens"), (16384, "A context of 4,096 tokens")):
        data.engine_takes(context)
        data.check(f"file-{context}", good_file())
        admin.goto(f"{site.url}/console/ingest/datasets/file-{context}")
        expect(advice).to_contain_text(title)
        expect(advice).to_contain_text(f"{context:,}")
    expect(advice).to_contain_text("“auto” takes 16,384, the most that the serving engine takes.")


def test_the_upload_shows_a_row_of_each_shape_and_gives_an_example_file(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/ingest/upload")
    admin.get_by_text("What a row looks like").click()
    expect(admin.locator("main")).to_contain_text('{"prompt": "Do you deliver on Saturdays?"')
    check_page(admin)
    assert_reached_by_keyboard(admin)
    with admin.expect_download() as got:
        admin.get_by_role("link", name="Download an example file").click()
    assert got.value.path().read_bytes().startswith(b'{"messages"')


def test_markup_in_names_findings_and_rows_is_shown_as_text(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/ingest/datasets/file-bad")
    main = admin.locator("main")
    expect(main.get_by_role("heading", level=1)).to_have_text(f"{HOSTILE}.jsonl")
    expect(main.locator("#bad")).to_contain_text(HOSTILE)
    expect(main.locator("#sum")).to_have_text("64 = 4 bad + 60 good, not used")
    check_page(admin)
    admin.goto(f"{site.url}/console/ingest/datasets/file-good/rows?text=onerror")
    expect(admin.locator("article")).to_have_count(1)
    expect(admin.locator("article")).to_contain_text(HOSTILE)
    expect(admin.locator("article mark").first).to_have_text("onerror")
    check_page(admin)
    assert admin.locator("img").count() == 0


def test_findings_are_filtered_by_code_and_downloaded(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/ingest/datasets/file-bad/findings")
    rows = admin.locator("tbody tr")
    expect(rows).to_have_count(4)
    check_page(admin)
    admin.get_by_label("Code", exact=True).select_option("empty")
    admin.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(2)
    with admin.expect_download() as got:
        admin.get_by_role("link", name="All findings as CSV").click()
    assert len(got.value.path().read_bytes().splitlines()) == 5


def test_rows_go_page_by_page_and_are_exported(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/ingest/datasets/file-good/rows?split=train")
    seen = admin.locator("article b").filter(has_text="Row").all_text_contents()
    admin.get_by_role("link", name="Next").click()
    expect(admin.get_by_role("link", name="From the start")).to_be_visible()
    seen += admin.locator("article b").filter(has_text="Row").all_text_contents()
    assert len(seen) == len(set(seen)) == 40
    admin.goto(f"{site.url}/console/ingest/datasets/file-good")
    admin.locator("#export").get_by_label("Format").select_option("xlsx")
    with admin.expect_download() as got:
        admin.locator("#export").get_by_role("button", name="Export").click()
    assert openpyxl.load_workbook(BytesIO(got.value.path().read_bytes())).active is not None


def workbook(path: Path, columns: tuple[str, str], rows: int = 30) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(columns)
    for number, row in enumerate(filler(rows)):
        asked, answered = row["messages"]
        sheet.append((f"{asked['content']} 第{number}号", answered["content"]))
    book.save(path)
    return path


DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const moved = new DataTransfer();
  moved.items.add(new File([bytes], name));
  const drop = document.getElementById("drop");
  for (const type of ["dragenter", "dragover", "drop"])
    drop.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: moved }));
}"""


def test_an_excel_file_is_dropped_checked_and_its_columns_mapped(site: Site, admin: Page, tmp_path: Path) -> None:
    path = workbook(tmp_path / "faq <b>.xlsx", ("客户说的话", "应该怎么答"))
    admin.goto(f"{site.url}/console/ingest/")
    admin.get_by_role("link", name="Upload a file").click()
    check_page(admin)
    admin.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
    admin.get_by_role("button", name="Upload and check").click()
    expect(admin).to_have_url(re.compile("/console/ingest/datasets/file-"), timeout=30_000)
    expect(admin.get_by_role("heading", level=1)).to_have_text("faq <b>.xlsx")
    expect(admin.get_by_role("alert").first).to_contain_text("This file cannot be used yet")
    refused = admin.url
    admin.get_by_label("Becomes, column 客户说的话").select_option("prompt")
    admin.get_by_label("Becomes, column 应该怎么答").select_option("completion")
    admin.get_by_role("button", name="Check again").click()
    expect(admin.locator(".head")).to_contain_text("ready", timeout=30_000)
    assert admin.url != refused
    expect(admin.locator("#sum")).to_contain_text("30 = ")
    expect(admin.locator("#rows article")).to_have_count(4)
    expect(admin.locator("#went")).to_contain_text("客户说的话 → prompt")
    expect(admin.locator("#went dl")).to_contain_text("xlsx")


def test_bad_rows_are_dropped_with_one_button_and_stay_listed(site: Site, admin: Page, tmp_path: Path) -> None:
    path = tmp_path / "some-bad.jsonl"
    path.write_bytes(bad_file())
    admin.goto(f"{site.url}/console/ingest/upload")
    admin.get_by_label("Drop a file here, or choose one").set_input_files(path)
    admin.get_by_role("button", name="Upload and check").click()
    admin.get_by_role("button", name="Drop 4, use the other 60").click(timeout=30_000)
    expect(admin.locator(".head")).to_contain_text("ready", timeout=30_000)
    expect(admin.locator("#bad")).to_contain_text("4 of 64")
    expect(admin.locator("#sum")).to_contain_text("+ 4 bad +")


def test_options_that_are_refused_are_said_and_nothing_typed_is_lost(site: Site, admin: Page, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(good_file())
    admin.goto(f"{site.url}/console/ingest/upload")
    admin.get_by_label("Drop a file here, or choose one").set_input_files(path)
    admin.get_by_text("Splits, series and template").click()
    admin.get_by_label("Series").fill("x" * 64)
    admin.get_by_label("Share for the test").evaluate("field => { field.max = 1; field.value = 0.9; }")
    admin.get_by_role("button", name="Upload and check").click()
    expect(admin.locator("#upload-problem")).to_contain_text("test_share")
    expect(admin.get_by_label("Series")).to_have_value("x" * 64)
    admin.route("**/v1/files", lambda route: route.abort())
    admin.get_by_label("Share for the test").fill("0.2")
    admin.get_by_role("button", name="Upload and check").click()
    expect(admin.locator("#upload-problem")).to_contain_text("The connection was lost")
    admin.unroute("**/v1/files")
    admin.get_by_role("button", name="Upload and check").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(f"{'x' * 64}, version 1", timeout=30_000)


def test_the_page_of_a_file_that_is_not_checked_yet_waits_for_it(site: Site, data: DataPages, admin: Page) -> None:
    admin.goto(f"{site.url}/console/ingest/files/file-later")
    expect(admin.locator("main")).to_contain_text("Every row is being checked")
    check_page(admin)
    data.check("file-later", good_file())
    expect(admin).to_have_url(f"{site.url}/console/ingest/datasets/file-later", timeout=10_000)


def test_a_dataset_is_deleted_with_its_file_after_a_question(site: Site, page: Page, tmp_path: Path) -> None:
    site.sign_in(page.context, "train")
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", accept)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(good_file())
    page.goto(f"{site.url}/console/ingest/upload")
    page.get_by_label("Drop a file here, or choose one").set_input_files(path)
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_role("button", name="Delete").click(timeout=30_000)
    expect(page).to_have_url(f"{site.url}/console/ingest/")
    expect(page.locator("main")).to_contain_text("No dataset yet")
    assert len(asked) == 1
    assert page.request.get(f"{site.url}/v1/files").json()["data"] == []
    check_page(page)


def test_the_empty_list_offers_the_example_which_is_checked_like_any_file(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/ingest/")
    page.get_by_role("button", name="Use the example").click()
    expect(page.locator(".head")).to_contain_text("ready", timeout=60_000)
    expect(page.locator("#sum")).to_contain_text("400 = ")


def test_a_dataset_of_another_person_is_not_found(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    for path in ("", "/rows", "/findings", "/first-rows", "/twins", "/difference"):
        response = page.goto(f"{site.url}/console/ingest/datasets/file-good{path}")
        assert response is not None
        assert response.status == 404, path


def test_chinese_leaves_no_word_in_english(site: Site, admin: Page) -> None:
    for path in (
        "",
        "upload",
        "datasets/file-more",
        "datasets/file-bad",
        "datasets/file-good/rows",
        "datasets/file-bad/findings",
        "files/file-none",
    ):
        admin.goto(f"{site.url}/console/ingest/{path}?language=zh")
        if not path.startswith("files/"):
            admin.wait_for_load_state("networkidle")
        admin.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        # Names and rows are in the language of their writers.
        admin.evaluate("document.querySelectorAll('.words').forEach((one) => one.remove())")
        assert english_left(admin, OWN) == [], path

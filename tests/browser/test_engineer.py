"""An engineer goes from a dropped Excel file to a served model, without one line of code."""

import base64
import random
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from services.evaluator.suites.adapters import prompt_template
from tests.browser.test_data_pages import DROP
from tests.browser.whole_site import whole_site

ROWS = 400


def no_deadline(_limit_s: float) -> AbstractContextManager[None]:
    """The deadline of a template needs the main thread, which is not the one that serves here."""
    return nullcontext()


def workbook(path: Path) -> Path:
    drawn = random.Random(1)
    words = ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(600)]
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(("question", "answer"))
    for number in range(ROWS):
        sheet.append((" ".join(drawn.sample(words, 9)), f"Answer {number} {drawn.choice(words)}"))
    book.save(path)
    return path


def test_an_engineer_goes_from_a_dropped_excel_file_to_a_served_model(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_template, "_deadline", no_deadline)
    path = workbook(tmp_path / "faq.xlsx")
    # The verdict's evidence is drawn by review, and home's list of reviews: neither is needed on this way.
    page.route("**/console/review/**", lambda route: route.fulfill(status=200, body="<p></p>"))
    with whole_site(tmp_path) as site:
        site.sign_in(page.context, "train", "infer")
        page.goto(f"{site.url}/console/")
        page.get_by_role("link", name="Upload a file").click()
        page.wait_for_url("**/console/ingest/upload")
        page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
        page.get_by_role("button", name="Upload and check").click()
        expect(page).to_have_url(re.compile("/console/ingest/datasets/file-"), timeout=40_000)
        expect(page.locator("#sum")).to_contain_text(f"{ROWS} = ")
        page.get_by_role("link", name="Train with it").click()

        page.get_by_label("Name", exact=True).fill("shop")
        page.get_by_label("Policy").fill("automatic")
        page.get_by_role("button", name="Start the job").click()
        expect(page).to_have_url(re.compile("/console/trainer/jobs/ftjob-"), timeout=20_000)
        job_id = page.url.rpartition("/")[2].partition("?")[0]
        expect(page.locator("#scores tr.on")).to_contain_text("1.000", timeout=30_000)
        expect(page.locator("#scores")).to_contain_text("exact_match")
        expect(page.locator("#verdict")).to_contain_text("approved", timeout=30_000)
        expect(page.locator("#verdict").get_by_role("heading", name="Served")).to_be_visible(timeout=20_000)

        page.goto(f"{site.url}/console/evaluator/")
        for box in page.get_by_role("checkbox").all()[:2]:
            box.check()
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("main")).to_contain_text("How the checkpoints were made")
        expect(page.locator("main")).to_contain_text(job_id)

        page.goto(f"{site.url}/console/serve/?name=shop")
        expect(page.get_by_role("row").filter(has_text="the name means it")).to_contain_text("100")

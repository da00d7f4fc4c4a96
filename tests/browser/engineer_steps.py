"""What an engineer does on the pages, from a workbook to an answer of the trained model: no API, no code."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import openpyxl
from playwright.sync_api import Page, expect

from tests.browser.test_data_pages import DROP

CHECKED_WITHIN_MS = 60_000
COLUMNS = {"客户说的话": "prompt", "应该怎么答": "completion"}
"""Headers that are not detected, and what each column is."""


def save_workbook(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A workbook of questions and answers under the headers of `COLUMNS`."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (tuple(COLUMNS), *rows):
        sheet.append(row)
    book.save(path)
    return path


def write_template(page: Page, url: str, name: str, fields: Mapping[str, str]) -> None:
    """`fields` are texts by label."""
    page.goto(f"{url}/console/ingest/templates/")
    page.get_by_role("link", name="New template").first.click()
    page.get_by_role("textbox", name="Name").fill(name)
    for label, text in fields.items():
        page.get_by_role("textbox", name=label).fill(text)
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def drop_and_map(page: Page, url: str, path: Path, template: str) -> None:
    """Drop the workbook, with a template around each question; then say what its columns are."""
    page.goto(f"{url}/console/")
    page.get_by_role("link", name="Upload a file").first.click()
    page.wait_for_url("**/console/ingest/upload")
    page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
    page.get_by_text("Splits, series and template").click()
    page.get_by_label("Prompt template").select_option(f"{template}:1")
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("alert").first).to_contain_text("This file cannot be used yet", timeout=CHECKED_WITHIN_MS)
    for column, field in COLUMNS.items():
        page.get_by_label(f"Becomes, column {column}").select_option(field)
    page.get_by_role("button", name="Check again").click()
    expect(page.locator(".head")).to_contain_text("ready", timeout=CHECKED_WITHIN_MS)
    expect(page.locator("#went")).to_contain_text(f"{template}, version 1")


def start_job(page: Page, fields: Mapping[str, str]) -> str:
    """From the page of the data; `fields` are texts by label. Returns the job's id; its page is open."""
    page.get_by_role("link", name="Train with it").click()
    for label, text in fields.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Start the job").click()
    expect(page).to_have_url(re.compile("/console/trainer/jobs/ftjob-"), timeout=20_000)
    return page.url.rpartition("/")[2].partition("?")[0]


def ask_in_playground(page: Page, url: str, name: str, question: str) -> str:
    """The version that answered the question; the answer stays on the page."""
    page.goto(f"{url}/console/serve/?name={name}")
    page.get_by_role("link", name="Playground").click()
    expect(page.get_by_label("Model", exact=True)).to_have_value(name)
    page.get_by_label("Message").fill(question)
    page.get_by_role("button", name="Send").click()
    answered = page.get_by_role("article").first
    expect(answered.locator("[data-version-of]")).not_to_be_empty(timeout=60_000)
    expect(answered.locator("[data-answer]")).not_to_be_empty()
    return answered.locator("[data-version-of]").inner_text()

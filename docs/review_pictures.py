"""`make screenshots`: pictures of review's pages, which the job of `make demo` does not open.

The pages are served over memory with the questions below, as in the browser tests.
"""

import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from docs.pictures import save
from tests.browser.review_data import REVIEW, review_site, reviewer
from tests.browser.site import Site

_PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 800}}


def _row(question: str, reference: str, answer: str, old: str) -> dict[str, Any]:
    asked = [{"role": "user", "content": question}]
    answers = {"reference": reference, "answer": answer, "base_answer": "", "production_answer": old}
    return {"prompt": asked, **answers, "scores": {"exact_match": 0.0}}


ENGLISH = [
    _row(
        "My kettle leaks after three weeks. Can I send it back?",
        "Yes: within two years we repair or replace it. Please send a photo and your order number.",
        "I am sorry about that. Yes, it has a two-year warranty: send us a photo and your order number, and we will "
        "replace it.",
        "You can return goods within 14 days.",
    ),
    _row(
        "Do you deliver to Ireland?",
        "Yes, in three to five days for £9.90.",
        "Yes, we deliver to Ireland in three to five days. It costs £9.90.",
        "We deliver worldwide.",
    ),
    _row(
        "Which filter fits the Brew 2?",
        "The F20.",
        "The F20 fits the Brew 2; the F10 is for the Brew 1.",
        "The F10 or the F20.",
    ),
]
CHINESE = [
    _row(
        "水壶用了三周就漏水，可以退吗？",
        "可以：两年内免费维修或更换，请发照片和订单号。",
        "很抱歉给您带来不便。可以的，水壶保修两年，请把照片和订单号发给我们，我们为您更换。",
        "14 天内可以退货。",
    ),
    _row("可以送到香港吗？", "可以，三到五天，运费 60 元。", "可以，三到五天送达，运费 60 元。", "我们全球发货。"),
    _row("Brew 2 用哪种滤网？", "F20。", "Brew 2 用 F20，Brew 1 用 F10。", "F10 或 F20。"),
]


def take(browser: Browser) -> None:
    """Write the pictures of review into `docs/pages`."""
    _scoring(browser, CHINESE, "zh-CN", "light", "review-score-zh")
    for theme, ending in (("light", ""), ("dark", "-dark")):
        _scoring(browser, ENGLISH, "en-GB", theme, f"review-score{ending}")
        with tempfile.TemporaryDirectory() as folder, review_site(Path(folder), ENGLISH) as site:
            _panel(browser, site, theme, ending)


def _scoring(browser: Browser, rows: list[dict[str, Any]], locale: str, theme: Any, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, review_site(Path(folder), rows) as site:
        page = reviewer(browser, site, "Ana", "review", locale=locale, color_scheme=theme)
        _practise(page, site.url)
        page.keyboard.press("4")
        page.keyboard.press("5")
        save(page, name)
        page.context.close()


def _panel(browser: Browser, site: Site, theme: Any, ending: str) -> None:
    """A pair on a phone, and the panel after two people have scored. One context at a time: several need more memory
    for their pictures than a headless browser may have."""
    phone = reviewer(browser, site, "Ana", "review", **_PHONE, color_scheme=theme)
    phone.goto(site.url + REVIEW + "/pairs")
    save(phone, f"review-pairs{ending}")
    phone.context.close()
    for name, accuracy in (("Ben", ("4", "5", "3")), ("Cleo", ("4", "2", "5"))):
        person = reviewer(browser, site, name, "review")
        _score_all(person, site.url, {f"item-{n}": points for n, points in enumerate(accuracy, start=1)})
        person.context.close()
    lead = reviewer(browser, site, "Lea", "admin", color_scheme=theme)
    lead.goto(site.url + REVIEW + "/panel")
    save(lead, f"review-panel{ending}")
    lead.context.close()


def _practise(page: Page, url: str) -> None:
    page.goto(f"{url}/console/review/")
    page.locator("main a.pri").click()
    page.locator("[data-item='calibration-1']").wait_for()
    _score(page, "5", "5", "5")


def _score_all(page: Page, url: str, accuracy: dict[str, str]) -> None:
    """Each reviewer gets the items in another order."""
    _practise(page, url)
    for _ in accuracy:
        item = page.locator("[data-item]").get_attribute("data-item") or ""
        _score(page, accuracy[item], "4", "5")


def _score(page: Page, *keys: str) -> None:
    item = page.locator("[data-item]").get_attribute("data-item")
    for key in (*keys, "Enter"):
        page.keyboard.press(key)
    page.locator(f"[data-item='{item}']").wait_for(state="detached")
    page.wait_for_load_state()

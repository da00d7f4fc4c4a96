"""An engineer goes from a dropped Excel file to a served model, without one line of code."""

import random
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.engineer_steps import ask_in_playground, drop_and_map, save_workbook, start_job, write_template
from tests.browser.test_serve_pages import answer_as_gateway
from tests.browser.whole_site import whole_site
from tests.browser.without_deadline import without_deadline

ROWS = 400


def workbook(path: Path) -> Path:
    drawn = random.Random(1)
    words = ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(600)]
    asked = [" ".join(drawn.sample(words, 9)) for _ in range(ROWS)]
    return save_workbook(path, [(each, f"Answer {n} {drawn.choice(words)}") for n, each in enumerate(asked)])


def test_an_engineer_goes_from_a_dropped_excel_file_to_a_served_model(page: Page, tmp_path: Path) -> None:
    path = workbook(tmp_path / "faq.xlsx")
    # The verdict's evidence is drawn by review, and home's list of reviews: neither is needed on this way.
    page.route("**/console/review/**", lambda route: route.fulfill(status=200, body="<p></p>"))
    asked = answer_as_gateway(page)
    with without_deadline(), whole_site(tmp_path) as site:
        site.sign_in(page.context, "train", "infer")
        write_template(
            page, site.url, "support", {"System part": "你是客服。", "Words around the input": "问题：{input}"}
        )
        drop_and_map(page, site.url, path, "support")
        expect(page.locator("#sum")).to_contain_text(f"{ROWS} = ")

        job_id = start_job(page, {"Name": "shop", "Policy": "automatic"})
        expect(page.locator("#scores tr.on")).to_contain_text("1.000", timeout=30_000)
        expect(page.locator("#scores")).to_contain_text("exact_match")
        expect(page.locator("#verdict")).to_contain_text("approved", timeout=30_000)
        expect(page.locator("#verdict").get_by_role("heading", name="Served")).to_be_visible(timeout=20_000)

        page.goto(f"{site.url}/console/evaluator/")
        for box in page.get_by_role("checkbox").all()[:2]:
            box.check()
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("main")).to_contain_text("How the checkpoints were made")
        expect(page.locator("main")).to_contain_text("shop, checkpoint")
        expect(page.locator(f"main [title*='{job_id}']").first).to_be_attached()

        page.goto(f"{site.url}/console/serve/?name=shop")
        expect(page.get_by_role("row").filter(has_text="current version")).to_contain_text("100")

        assert ask_in_playground(page, site.url, "shop", "Where is my parcel?") == "version-of-shop"
        assert [body["model"] for body in asked] == ["shop"]

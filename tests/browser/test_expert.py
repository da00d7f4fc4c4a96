"""An expert joins by an invitation, scores answers by keyboard, and reads the verdict that follows."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from services.gateway.common.api import error_responses
from services.gateway.console.pages import invitation, sign_in
from services.gateway.console.pages.routes import ROUTES
from services.review.pages.rendering import LIKE
from services.review.pages.routes import HANDLERS, PAGES
from services.review.panels import api as panels_api
from services.review.problems import problems
from shared.pages import pages_router
from shared.pages.rendering import Pages
from tests.browser.admin_data import AdminData
from tests.browser.review_data import POLICY, QUICK, Service, provided
from tests.browser.site import serving

ONE_REVIEWER = POLICY.model_copy(update={"reviewers_wanted": 1, "calibration": None, "adjudicate_from": None})


def test_an_expert_joins_by_an_invitation_reviews_and_reads_the_verdict(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    admin_data = AdminData()
    service = Service(tmp_path, {"people": ONE_REVIEWER, "quick": QUICK})
    review = pages_router("/console/review", HANDLERS, Pages("review", PAGES.folder), scopes=["review"], like=LIKE)
    routes = [sign_in.routes, invitation.routes, ROUTES[2], review, panels_api.routes]
    dependencies = {name: provided(value) for name, value in service.dependencies.items()}
    with serving(
        routes,
        tmp_path,
        admin_data.use_cases,
        dependencies=dependencies,
        lifespan=[service.lifespan],
        exception_handlers={**error_responses.HANDLERS, **problems},
    ) as site:
        site.sign_in(page.context, "admin", name="Lea")
        page.goto(f"{site.url}/console/admin/people")
        page.get_by_label("Name", exact=True).first.fill("Lin Yue")
        page.get_by_label("review score answers").check()
        page.get_by_role("button", name="Make the invitation").click()
        link = page.locator("#link").text_content() or ""

        expert = browser.new_context(locale="en-GB").new_page()
        expert.goto(link)
        expert.get_by_role("button", name="Join").click()
        expert.goto(f"{site.url}/console/review/")
        expert.get_by_role("link", name="Score").click()
        for _ in range(3):
            item = expert.locator("[data-item]").get_attribute("data-item")
            for key in ("5", "4", "5", "Enter"):
                expert.keyboard.press(key)
            expect(expert.locator(f"[data-item='{item}']")).to_have_count(0)
        expect(expert.get_by_text("Nothing is left for you here.")).to_be_visible()
        expert.goto(f"{site.url}/console/review/verdicts/job-1")
        for _ in range(100):
            if expert.get_by_role("heading", name="Approved").count():
                break
            # The review is closed in the background, after the last score was stored.
            expert.wait_for_timeout(100)
            expert.reload()
        expect(expert.get_by_role("heading", name="Approved")).to_be_visible()
        expect(expert.locator("main")).to_contain_text("human score at least 70")
        expert.context.close()

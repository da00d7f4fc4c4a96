"""The verdict as one printed page: light, without navigation, whatever the reader's theme is."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.sync_api import Browser, Page, expect

from services.review.ownership import Caller
from services.review.panels.domain.review import review_id
from services.review.panels.domain.scorecard import Score
from services.review.policies.domain.policy import Policy
from shared.events import EvalDone, Interval
from shared.events import Score as Figure
from tests.browser.review_data import Service, review_site, reviewer
from tests.browser.site import Site
from tests.unit.review.evidence import candidate, comparison, evaluation, finish, sample_lines

ITEMS = 20
METRICS = ("exact_match", "token_f1", "json_valid", "general.score", "private.score")
POLICY = Policy.model_validate(
    {
        "name": "shop",
        "mode": "hybrid",
        "items_per_review": ITEMS,
        "reviewers_wanted": 2,
        "agreement_at_least": 0.2,
        "gates": [
            *({"metric": metric, "at_least": 0.8, "least_n": 30} for metric in METRICS[:3]),
            {"metric": METRICS[3], "not_worse_than_base": 0.02},
            {"metric": METRICS[4], "better_than_base": 0.05, "by_test": True},
        ],
    }
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    service = Service(tmp_path / "service", {"people": POLICY, "quick": POLICY, "shop": POLICY})
    with review_site(tmp_path, service=service) as site:
        thread = threading.Thread(target=anyio.run, args=(_decide, service))
        thread.start()
        thread.join()
        yield site


async def _decide(service: Service) -> None:
    """A job whose checkpoint passes the gates and whose 20 answers two people scored."""
    samples = service.artifacts.put_bytes(sample_lines(ITEMS))
    await service.runs.evaluated(_evaluation(evaluation(30, 0.91, job_id="job-2", policy="shop", samples=samples)))
    await service.runs.finished(finish(30, job_id="job-2"))
    review = review_id(candidate(30, "job-2"))
    for number in range(1, ITEMS + 1):
        for name, points in (("ana", 5 - number % 3), ("ben", 5 - number % 3)):
            scores = {"accuracy": points, "politeness": 5 - number % 2, "usefulness": points}
            await service.panels.assignments.score(
                review, f"item-{number}", Caller(id=name), scores, Score(points={}, seconds=20)
            )
    await service.panels.completion.advance(review)
    assert (await service.runs.required("job-2")).status in ("approved", "rejected")


def _evaluation(done: EvalDone) -> EvalDone:
    interval = Interval(low=0.86, high=0.95, level=0.95, method="bootstrap")
    changes = {
        "scores": {metric: Figure(value=0.91, n=240) for metric in METRICS},
        "base_scores": {metric: Figure(value=0.64, n=240) for metric in METRICS},
        "intervals": dict.fromkeys(METRICS, interval),
        "comparisons": tuple(
            comparison(0.91, 0.64, "base", 240, None).model_copy(update={"metric": metric}) for metric in METRICS
        ),
    }
    return done.model_copy(update=changes)


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_verdict_prints_as_one_light_page_without_navigation(site: Site, browser: Browser, theme: Any) -> None:
    page = reviewer(browser, site, "Lea", "admin", color_scheme=theme)
    page.goto(f"{site.url}/console/review/verdicts/job-2")
    expect(page.get_by_role("row", name=f"item-{ITEMS}")).to_be_visible()
    page.evaluate("window.print = () => { document.title = 'printed' }")
    page.get_by_role("button", name="Print").click()
    assert page.title() == "printed"
    printed = page.pdf(format="A4", print_background=True)
    assert pages_of(printed) == 1
    page.emulate_media(media="print", color_scheme=theme)
    assert _ink(page) == "rgb(23, 27, 34)", "dark ink on paper"
    for hidden in ("banner", "button", "navigation"):
        assert page.get_by_role(hidden).filter(visible=True).count() == 0, hidden
    expect(page.get_by_role("row", name=f"item-{ITEMS}")).to_be_visible()
    for metric in METRICS:
        expect(page.get_by_role("region", name="Choice and proof").get_by_role("row", name=metric)).to_be_visible()
    page.context.close()


def _ink(page: Page) -> str:
    return page.locator("h1").evaluate("e => getComputedStyle(e).color")

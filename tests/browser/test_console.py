"""Sign-in and home in a browser, over stores in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from services.evaluator.pages.routes import routes as evaluator
from services.gateway.common.api import error_responses
from services.gateway.console.api import sign_in_links
from services.gateway.console.pages import routes, sign_in
from services.gateway.console.service.sign_in_links import SignInLinks
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.ingest.pages import PAGES as INGEST_PAGES
from services.ingest.pages.routes import routes as ingest
from services.ingest.pages.uploads import begin, example
from services.review.pages import routes as review
from services.review.pages.rendering import PAGES as REVIEW_PAGES
from services.review.pages.waiting import waiting
from services.trainer.pages.routes import routes as trainer
from shared.events import DatasetUploaded, Failure
from shared.pages import pages_router
from shared.security import Keyring, Scope
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.console_data import ARTIFACT, BASE, HOSTILE, ConsoleData, filled, job
from tests.browser.review_data import Service
from tests.browser.site import MemorySessionStore, Site, at_once, serving

ROUTES = [sign_in.routes, sign_in_links.routes, routes.ROUTES[0]]
# The parts of the home page that other services draw.
PARTS = [
    pages_router("/console/review", [waiting], REVIEW_PAGES, scopes=["review", "train"]),
    pages_router("/console/ingest", [begin, example], INGEST_PAGES, scopes=["train"]),
]


OWN = (
    HOSTILE,
    BASE,
    "ftjob-",
    "file-",
    "kefu",
    "shop-assistant",
    "shop",
    "invoice-fields",
    "intents",
    "score",
    "served",
    "Ana Ruiz",
)


def site_with(data: ConsoleData, folder: Path) -> Any:
    def use_cases(keyring: Keyring, store: MemorySessionStore) -> dict[str, Any]:
        return {
            "sign_in_links": SignInLinks(store=store, keyring=keyring),
            "overviews": data.overviews,
            "jobs": data.job_use_cases,
            "metrics": data.metrics,
            **Service(folder).panels.dependencies(),
        }

    return serving([*ROUTES, *PARTS], folder, use_cases, exception_handlers=error_responses.HANDLERS)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_with(filled(), tmp_path_factory.mktemp("site")) as site:
        yield site


def make_link(site: Site, page: Page, *scopes: Scope) -> str:
    secret = site.keyring.create("Ana Ruiz", scopes)
    answer = page.request.post(f"{site.url}/v1/sign_in_links", headers={"authorization": f"Bearer {secret}"})
    assert answer.status == 201
    return answer.json()["url"]


def test_a_link_signs_in_once(site: Site, page: Page) -> None:
    link = make_link(site, page, "train")
    page.goto(link)
    expect(page.locator("main")).to_contain_text("This link signs you in once, as Ana Ruiz")
    check_page(page)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.url}/console/")
    cookie = page.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.context.clear_cookies()
    response = page.goto(link)
    assert response is not None
    assert response.status == 401
    expect(page.get_by_role("alert")).to_contain_text("this link was used before")


def test_a_key_signs_in_and_leads_to_the_page_that_was_asked_for(site: Site, page: Page) -> None:
    secret = site.keyring.create("Ana Ruiz", ("train",))
    page.goto(f"{site.url}/console/home/line")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.url}/console/home/line")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/console/\\\\evil.example", "/v1/keys"])
def test_sign_in_never_leads_to_another_site(site: Site, page: Page, wanted: str) -> None:
    secret = site.keyring.create("Ana Ruiz", ("train",))
    page.goto(f"{site.url}/console/sign-in")
    page.evaluate("wanted => { document.querySelector('[name=next]').value = wanted }", wanted)
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.url}/console/")


def test_a_wrong_key_is_refused_with_the_reason(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/console/sign-in")
    check_page(page)
    page.get_by_label("API key").fill("sk-assay-wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("this API key is not known here")


def test_the_sign_in_page_stays_within_its_budget(site: Site, page: Page) -> None:
    with first_screen(page) as counted:
        page.goto(f"{site.url}/console/sign-in")
    assert counted["sent"] < PAGE_BYTES


def test_sign_out_ends_the_session_also_for_whoever_kept_the_cookie(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    kept = page.context.cookies()
    page.goto(f"{site.url}/console/")
    page.get_by_text("Ana Ruiz").first.click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(f"{site.url}/console/sign-in")
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.goto(f"{site.url}/console/")
    expect(page).to_have_url(f"{site.url}/console/sign-in?next=/console/")


def test_a_form_of_another_site_cannot_sign_in_or_out(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    for path in ("sign-in", "sign-out", "sign-out-everywhere"):
        answer = page.request.post(f"{site.url}/console/{path}", headers={"origin": "https://evil.example"})
        assert answer.status == 403, path
    page.goto(f"{site.url}/console/")
    expect(page).to_have_url(f"{site.url}/console/")


def test_only_an_administrator_makes_links_for_others(site: Site, page: Page) -> None:
    jonas = site.keyring.authenticate("Bearer " + site.keyring.create("Jonas", ("review",)))
    url = f"{site.url}/v1/sign_in_links"
    for scope, status in (("train", 403), ("admin", 201)):
        headers = {"authorization": "Bearer " + site.keyring.create("x", (scope,))}
        answer = page.request.post(url, headers=headers, data={"key_id": jonas.id})
        assert answer.status == status


def test_home_shows_each_job_with_its_state_and_what_is_wrong(site: Site, page: Page) -> None:
    site.sign_in(page.context, "admin")
    with first_screen(page) as counted:
        page.goto(f"{site.url}/console/")
    assert counted["sent"] < PAGE_BYTES
    main = page.locator("main")
    expect(main).to_contain_text("trains, step 512 of 954")
    expect(main).to_contain_text("14 of 1,310 rows are bad")
    expect(main).to_contain_text(HOSTILE)
    expect(main).to_contain_text("engines up: 1 of 2")
    row = page.get_by_role("row").filter(has_text="ftjob-served")
    expect(row).to_contain_text("0.824")
    expect(row).to_contain_text("0.774–0.874, n 240, step 310")
    expect(page.get_by_role("row").filter(has_text="ftjob-failed")).to_contain_text("not measured")
    check_page(page)


def test_home_says_that_nothing_is_wrong_and_counts_what_people_uploaded(page: Page, tmp_path: Path) -> None:
    data = ConsoleData()
    for replica in data.fleet.replicas:
        replica.up = True
    with site_with(data, tmp_path) as site:
        owner = site.keyring.authenticate(f"Bearer {site.sign_in(page.context, 'train')}").person
        for file_id, purpose in (("file-6b20e1", "fine-tune"), ("file-metrics", "fine-tune-results")):
            upload = DatasetUploaded(file_id=file_id, filename=f"{purpose}.jsonl", artifact=ARTIFACT, purpose=purpose)
            at_once(data.files.create(UploadedFile(id=file_id, owner=owner, known=True, upload=upload)))
        at_once(data.jobs.create(job("ftjob-1", "kefu", 5, owner=owner, status="queued", queued=True)))
        page.goto(f"{site.url}/console/")
        expect(page.get_by_role("region", name="What is wrong")).to_contain_text("Nothing")
        expect(page.locator(".stations li").first).to_contain_text("1 file")
        expect(page.get_by_role("row").filter(has_text="ftjob-1")).to_contain_text("fine-tune.jsonl")
        expect(page.get_by_role("link", name="Add a file")).to_have_attribute("href", "/console/ingest/upload")
        check_page(page)


def test_home_tells_administrators_that_a_stream_fills_up(page: Page, tmp_path: Path) -> None:
    data = filled()
    with site_with(data, tmp_path) as site:
        site.sign_in(page.context, "admin")
        page.goto(f"{site.url}/console/")
        expect(page.locator("main")).to_contain_text("A stream of events is 81\u00a0% full")
        expect(page.get_by_role("link", name="Engines")).to_have_attribute("href", "/console/serve/")
        check_page(page)


def test_home_in_chinese_leaves_no_word_in_english(site: Site, page: Page) -> None:
    site.sign_in(page.context, "admin")
    page.goto(f"{site.url}/console/?language=zh")
    assert english_left(page, OWN) == []


def test_home_goes_on_by_itself_while_it_is_open(page: Page, tmp_path: Path) -> None:
    data = filled()
    with site_with(data, tmp_path) as site:
        site.sign_in(page.context, "admin")
        page.goto(f"{site.url}/console/")
        expect(page.locator("main")).to_contain_text("engines up: 1 of 2")
        data.fleet.replicas[1].up = True
        expect(page.locator("main")).to_contain_text("engines up: 2 of 2", timeout=10_000)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_empty_console_offers_the_example_by_one_click(page: Page, tmp_path: Path, language: str) -> None:
    sent: list[bytes] = []

    def store(route: Route) -> None:
        sent.append(route.request.post_data_buffer or b"")
        route.fulfill(status=200, json={"id": "file-example"})

    page.route("**/v1/files", store)
    with site_with(ConsoleData(), tmp_path) as site:
        site.sign_in(page.context, "train")
        page.goto(f"{site.url}/console/?language={language}")
        expect(page.locator(".empty .btn")).to_have_count(2)
        check_page(page)
        if language == "zh":
            assert english_left(page, OWN) == []
        page.locator("[data-example]").click()
        page.wait_for_url("**/console/ingest/files/file-example")
    assert b"address-extraction.jsonl" in sent[0]


def test_home_says_what_waits_for_the_person_alone(page: Page, tmp_path: Path) -> None:
    data = filled()
    with site_with(data, tmp_path) as site:
        own = site.keyring.authenticate("Bearer " + site.sign_in(page.context, "train")).id
        failure = Failure(code="rows_too_long", message="12 rows are too long: shorten them.")
        at_once(data.jobs.create(job("ftjob-mine", "mine", 30, status="failed", error=failure, owner=own)))
        page.goto(f"{site.url}/console/")
        waits = page.locator("section", has=page.get_by_role("heading", name="Waits for you"))
        expect(waits.get_by_role("listitem")).to_have_count(1)
        expect(waits).to_contain_text("mine: the job failed")
        expect(waits).to_contain_text("12 rows are too long: shorten them.")
        expect(waits).to_contain_text("No review waits for you.")
        at_once(data.jobs.create(job("ftjob-again", "mine", 10, status="running", started=True, owner=own)))
        # The list goes on by itself, and review is not asked each time.
        with page.expect_response("**/console/home/line"):
            pass
        expect(waits.get_by_role("listitem")).to_have_count(0)
        expect(waits).to_contain_text("No review waits for you.")


def test_home_leads_operators_to_the_dead_letters(site: Site, page: Page) -> None:
    site.sign_in(page.context, "admin")
    page.goto(f"{site.url}/console/")
    expect(page.get_by_role("link", name="3 events could not be handled")).to_have_attribute(
        "href", "/console/admin/dead_letters"
    )
    page.context.clear_cookies()
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/")
    expect(page.locator("main")).not_to_contain_text("could not be handled")


def test_people_see_their_own_jobs_alone(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/")
    expect(page.get_by_role("heading", name="Begin here")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)


INSERT = """async url => {
    const part = await (await fetch(url)).text();
    document.querySelector('main').insertAdjacentHTML('beforeend', part);
}"""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_scores_and_verdict_are_parts_of_the_page_of_a_job(site: Site, page: Page, language: str) -> None:
    site.sign_in(page.context, "admin")
    page.goto(f"{site.url}/console/?language={language}")
    for part in ("scores?total=620", "verdict"):
        url = f"/console/jobs/ftjob-served/{part}"
        page.evaluate(INSERT, url)
    expect(page.locator("#scores tr.on")).to_contain_text("0.824")
    expect(page.locator("#scores tr.on")).to_contain_text("+0.053")
    rule = {"en": "shop.score at least 0.8", "zh": "shop.score 不低于 0.8"}[language]
    expect(page.locator("#verdict")).to_contain_text(rule)
    expect(page.locator("#verdict")).to_contain_text("v-0000000000000000")
    check_page(page)
    if language == "zh":
        assert english_left(page, (*OWN, "careful", "v-0000000000000000")) == []


def test_the_verdict_is_asked_for_again_until_no_other_can_follow(site: Site, page: Page) -> None:
    """A job that waits for people has ended, but its verdict and its deployment are still to come."""
    site.sign_in(page.context, "admin")
    for job_id, follows in (("ftjob-review", True), ("ftjob-served", False)):
        part = page.request.get(f"{site.url}/console/jobs/{job_id}/verdict").text()
        assert ("hx-trigger" in part) is follows


def test_the_scores_of_another_persons_job_are_not_found(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    for part in ("scores", "verdict"):
        assert page.request.get(f"{site.url}/console/jobs/ftjob-served/{part}").status == 404


def test_no_link_of_the_navigation_leads_nowhere(site: Site, page: Page) -> None:
    others = (ingest, trainer, evaluator, review)
    known = {router.path for router in (*routes.ROUTES, *others)} | {f"{ingest.path}/templates"}
    site.sign_in(page.context, "admin")
    page.goto(f"{site.url}/console/")
    hrefs = page.locator("header a[href^='/']").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert {href.rstrip("/") for href in hrefs} <= known

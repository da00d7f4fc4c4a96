"""The list of jobs and the page of a run in a browser, over a store in memory."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from services.trainer.pages.routes import routes
from services.trainer.service.run_store import RunStore
from tests.browser.checks import CURVE_PAGE_BYTES, PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.site import Site, at_once, serving
from tests.browser.trainer_data import HOSTILE, add, fill, point, run, store_of_runs, use_cases

OWN = ("ftjob-", "file-", "shop-assistant", "invoice-fields", "smollm2-135m-instruct", "LoRA", "Ana Ruiz", "admin")


@pytest.fixture(scope="module")
def store() -> RunStore:
    store = store_of_runs()
    fill(store)
    return store


@pytest.fixture(scope="module")
def site(store: RunStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving([routes], tmp_path_factory.mktemp("site"), lambda *_: use_cases(store)) as site:
        yield site


@pytest.fixture
def admin(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "admin")
    # The scores and the verdict are the gateway's, which is not there: the page must stand without them.
    page.route("**/console/jobs/**", lambda route: route.fulfill(status=200, body="<p></p>"))
    return page


def test_the_list_shows_each_status_and_filters_by_it(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        admin.goto(f"{site.url}/console/trainer/")
    assert counted["sent"] < PAGE_BYTES
    main = admin.locator("main")
    for words in ("trains", "trained", "paused", "failed", "its file is being checked", HOSTILE):
        expect(main).to_contain_text(words)
    check_page(admin)
    admin.get_by_label("Status").select_option("paused")
    admin.get_by_role("button", name="Show").click()
    expect(admin.locator("tbody tr")).to_have_count(1)
    expect(admin.locator("tbody")).to_contain_text("ftjob-paused")


def test_the_list_goes_page_by_page(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = store_of_runs()
    for number in range(60):
        add(store, run(f"ftjob-{number:03}", "queued").model_copy(update={"created_at": number}))
    with serving([routes], tmp_path_factory.mktemp("site"), lambda *_: use_cases(store)) as site:
        site.sign_in(page.context, "admin")
        page.goto(f"{site.url}/console/trainer/")
        seen = page.locator("tbody .id").filter(has_text="ftjob-").all_text_contents()
        for _ in range(2):
            page.get_by_role("link", name="Older jobs").click()
            seen += page.locator("tbody .id").filter(has_text="ftjob-").all_text_contents()
        assert seen == [f"ftjob-{number:03}" for number in reversed(range(60))]
        expect(page.get_by_role("link", name="Older jobs")).to_have_count(0)


def test_the_page_of_a_run_that_trains(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        admin.goto(f"{site.url}/console/trainer/jobs/ftjob-live")
    assert counted["sent"] < CURVE_PAGE_BYTES
    main = admin.locator("main")
    expect(main).to_contain_text("Step 403 of 620")
    expect(main).to_contain_text("ends about")
    expect(main).to_contain_text("not measured")
    expect(main.get_by_role("img", name="Training and validation loss by step")).to_be_visible()
    expect(main.get_by_role("button", name="Pause")).to_be_visible()
    check_page(admin)


def test_the_page_goes_on_by_itself_and_keeps_what_was_opened(site: Site, store: RunStore, admin: Page) -> None:
    add(store, run("ftjob-grows", "running", started_at=1), 40)
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-grows")
    expect(admin.locator("main")).to_contain_text("Step 40 of 620")
    for step in (41, 42):
        at_once(store.add_point(point("ftjob-grows", step, 620)))
    expect(admin.locator("#head")).to_contain_text("Step 42 of 620", timeout=10_000)


def test_a_run_that_has_ended_is_not_asked_for_again(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-done")
    expect(admin.locator("#live")).to_be_visible()
    assert admin.locator("#live").get_attribute("hx-get") is None
    expect(admin.locator("main")).to_contain_text("after 47 min of training")
    check_page(admin)


@pytest.mark.parametrize("job_id", ["ftjob-failed", "ftjob-paused", "ftjob-new"])
def test_each_other_status_says_what_is_going_on(site: Site, admin: Page, job_id: str) -> None:
    admin.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    admin.goto(f"{site.url}/console/trainer/jobs/{job_id}")
    words = {
        "ftjob-failed": f"12 rows are too long: {HOSTILE}",
        "ftjob-paused": "paused",
        "ftjob-new": "Decided once the file is checked.",
    }
    expect(admin.locator("main")).to_contain_text(words[job_id])
    check_page(admin)


def test_pause_and_cancel_are_asked_of_the_jobs_api(site: Site, admin: Page) -> None:
    asked: list[str] = []
    admin.route("**/v1/fine_tuning/jobs/**", lambda route: (asked.append(route.request.url), route.fulfill(body="{}")))
    admin.on("dialog", lambda dialog: dialog.accept())
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-live")
    admin.get_by_role("button", name="Pause").click()
    admin.wait_for_timeout(300)
    admin.get_by_role("button", name="Cancel").click()
    admin.wait_for_timeout(300)
    assert [url.rpartition("/")[2] for url in asked] == ["pause", "cancel"]


def test_chinese_leaves_no_word_in_english(site: Site, admin: Page) -> None:
    for path in ("", "jobs/ftjob-live", "jobs/ftjob-done", "jobs/ftjob-paused"):
        admin.goto(f"{site.url}/console/trainer/{path}?language=zh")
        assert english_left(admin, OWN) == [], path


def test_a_run_of_another_person_is_not_found(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    response = page.goto(f"{site.url}/console/trainer/jobs/ftjob-live")
    assert response is not None
    assert response.status == 404


def test_ten_thousand_steps_make_a_page_of_the_same_size(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = store_of_runs()
    add(store, run("ftjob-long", "running", total=10_000, started_at=1), 10_000)
    with serving([routes], tmp_path_factory.mktemp("site"), lambda *_: use_cases(store)) as site:
        site.sign_in(page.context, "admin")
        page.route("**/console/jobs/**", lambda route: route.fulfill(body="<p></p>"))
        with first_screen(page) as counted:
            page.goto(f"{site.url}/console/trainer/jobs/ftjob-long")
        assert counted["sent"] < CURVE_PAGE_BYTES

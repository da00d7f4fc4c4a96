"""The list of jobs and the page of a run in a browser, over a store in memory."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.stopping.interruption import Interruption
from services.trainer.domain.stopping.stop_by_validation import Validation
from services.trainer.pages.routes import routes
from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_store import RunStore
from shared.events import DatasetUploaded, TrainingMetrics
from tests.browser.checks import (
    CURVE_PAGE_BYTES,
    PAGE_BYTES,
    assert_reached_by_keyboard,
    check_page,
    english_left,
    first_screen,
)
from tests.browser.site import Site, at_once, serving
from tests.browser.trainer_data import (
    ARTIFACT,
    HOSTILE,
    add,
    checkpoint,
    fill,
    plan,
    point,
    run,
    store_of_runs,
    use_cases,
)

OWN = (
    "ftjob-",
    "all-linear",
    "file-",
    "shop-assistant",
    "invoice-fields",
    "smollm2-135m-instruct",
    "LoRA",
    "Ana Ruiz",
    "admin",
)


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
    expect(main).not_to_contain_text("begins")
    for words in ("trains", "training finished", "paused", "failed", "its file is being checked", HOSTILE):
        expect(main).to_contain_text(words)
    check_page(admin)
    admin.get_by_label("Status").select_option("paused")
    admin.get_by_role("button", name="Filter").click()
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


def test_the_page_goes_on_by_itself_until_the_run_has_ended(site: Site, store: RunStore, admin: Page) -> None:
    growing = run("ftjob-grows", "running", started_at=1)
    add(store, growing, 40)
    admin.route("**/hx-sse.min.js", _after_a_second)
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-grows")
    expect(admin.locator("main")).to_contain_text("Step 40 of 620")
    admin.get_by_role("link", name="Train again").focus()
    for step in (41, 42):
        at_once(store.add_point(point("ftjob-grows", step, 620)))
    expect(admin.locator("#head")).to_contain_text("Step 42 of 620", timeout=20_000)
    expect(admin.get_by_role("link", name="Train again")).to_be_focused()
    ended = growing.model_copy(update={"status": "succeeded", "checkpoints": (checkpoint(42),)})
    at_once(store.runs.change(growing.id, lambda _: (ended, ())))
    expect(admin.locator("#head")).to_contain_text("training finished", timeout=20_000)
    expect(admin.locator("#live")).to_contain_text("Train on from here")
    expect(admin.get_by_role("button", name="Pause")).to_have_count(0)


def test_the_page_stands_still_while_a_button_is_held_down(site: Site, store: RunStore, admin: Page) -> None:
    add(store, run("ftjob-held", "running", started_at=1), 40)
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-held")
    at_once(store.add_point(point("ftjob-held", 41, 620)))
    head = admin.locator("#head")
    expect(head).to_contain_text("Step 41 of 620", timeout=20_000)
    admin.get_by_role("button", name="Pause").hover()
    admin.mouse.down()
    at_once(store.add_point(point("ftjob-held", 42, 620)))
    admin.wait_for_timeout(3000)
    assert "Step 41 of 620" in head.inner_text()
    admin.mouse.move(0, 0)
    admin.mouse.up()
    expect(head).to_contain_text("Step 42 of 620")


def _after_a_second(route: Route) -> None:
    """A script that comes later than all others: the page has to be live all the same."""
    time.sleep(1)
    route.continue_()


def test_a_page_that_is_open_when_the_session_ends_says_so(site: Site, store: RunStore, admin: Page) -> None:
    add(store, run("ftjob-open", "running", started_at=1), 3)
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-open")
    expect(admin.locator("#head")).to_contain_text("Step 3 of 620")
    site.store.records.clear()
    expect(admin.locator("#signed-out")).to_be_visible(timeout=40_000)


def test_crashes_pauses_and_early_stops_are_marked_on_the_curve_and_told_in_words(
    site: Site, store: RunStore, admin: Page
) -> None:
    causes = (("crash", 20), ("outage", 60), ("pause", 100), ("trainer_left", 180))
    interruptions = tuple(Interruption(step=step, cause=cause, at=1) for cause, step in causes)  # type: ignore[arg-type]
    validations = tuple(Validation(step=step, loss=0.5, accuracy=0.9) for step in (50, 100, 150, 200))
    planned = plan("ftjob-marked", 620, (310, 620)).model_copy(update={"early_stopping": True})
    facts = {"interruptions": interruptions, "validations": validations, "plan": planned}
    add(store, run("ftjob-marked", "succeeded", stop_reason="the validation loss did not improve", **facts), 230)
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-marked")
    live = admin.locator("#live")
    for words in (
        "Recovered from a crash, step 20",
        "Interrupted by an outage, step 60",
        "Paused and resumed, step 100",
        "Another trainer took over",
    ):
        expect(live).to_contain_text(words)
    expect(live).to_contain_text("lowers the learning rate to zero until step 230")
    expect(live).not_to_contain_text("more epochs")
    expect(live).to_contain_text("390 planned steps were saved")
    expect(live.locator("svg[role=img] g title")).to_have_count(6)
    check_page(admin)


def test_a_checkpoint_leads_to_a_job_that_goes_on_from_it(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-done")
    admin.get_by_role("link", name="Train on from here, step 310").click()
    expect(admin.locator("#start_step")).to_have_value("310")
    expect(admin.locator("input[name=start_job]")).to_have_value("ftjob-done")
    expect(admin.get_by_label("Rank of LoRA")).to_have_value("8")


def test_the_verdict_stands_below_the_head_once_training_has_ended(site: Site, admin: Page) -> None:
    """The trainer does not know what is served; the gateway's fragment says it."""
    admin.route("**/verdict", lambda route: route.fulfill(body='<section id="verdict">served</section>'))
    for job_id, before, after in (("ftjob-done", "#head", "#live"), ("ftjob-live", "#live", ".g21 #plan")):
        admin.goto(f"{site.url}/console/trainer/jobs/{job_id}")
        expect(admin.locator("#verdict")).to_be_visible()
        tops = [admin.locator(each).last.bounding_box() for each in (before, "#verdict", after)]
        assert [top["y"] for top in tops if top] == sorted(top["y"] for top in tops if top), job_id


def test_checkpoints_are_listed_as_training_went_with_their_epochs(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-live")
    rows = admin.locator("section:has(#checkpoints) tbody tr")
    assert rows.locator("th").all_text_contents() == ["62", "124", "186", "248", "310", "372"]
    assert rows.locator("td:nth-child(2)").all_text_contents() == ["0.8", "1.6", "2.4", "3.2", "4", "4.8"]


def test_findings_and_figures_are_written_in_one_way(site: Site, store: RunStore, admin: Page) -> None:
    planned = plan("ftjob-jumps", 63, (21, 42, 63)).model_copy(update={"rows": 448})
    facts = {"plan": planned, "on_gpu": False, "best_step": 21, "checkpoints": (checkpoint(21), checkpoint(63))}
    add(store, run("ftjob-jumps", "succeeded", **facts))
    for step in range(1, 64):
        loss = 2 - step / 63 + (3 if step == 40 else 0)
        metrics = TrainingMetrics(step=step, train_loss=loss, learning_rate=2e-3 / step**2, memory_bytes=18 * 10**8)
        at_once(store.add_point(CurvePoint(job_id="ftjob-jumps", attempt=1, metrics=metrics)))
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-jumps")
    live = admin.locator("#live")
    expect(live.locator("section:has(#checkpoints) td:nth-child(2)").first).to_have_text("0.75")
    found = live.locator("section:has(#diagnosis)")
    for words in ("Best score, step 21", "By the scores of the checkpoints.", "The loss jumped at step 40"):
        expect(found).to_contain_text(words)
    expect(found).to_contain_text("Ask for more epochs.")
    expect(live).to_contain_text("5e-7, highest 2e-3")
    expect(live).to_contain_text("Memory of the process")
    expect(live.locator("svg[role=img]")).to_contain_text("steps")


def test_a_file_is_called_by_its_name(site: Site, store: RunStore, admin: Page) -> None:
    uploaded = DatasetUploaded(file_id="file-6b20e1", filename=f"rows {HOSTILE}.jsonl", artifact=ARTIFACT)
    at_once(JobOptions(store).uploaded(uploaded))
    for path in ("", "jobs/ftjob-done", "compare?job=ftjob-done"):
        admin.goto(f"{site.url}/console/trainer/{path}")
        expect(admin.locator("main")).to_contain_text(f"rows {HOSTILE}.jsonl")
    # Two files can have one name.
    expect(admin.locator("main")).to_contain_text("file-6b20e1")


def test_two_runs_are_compared_and_what_differs_is_marked(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/trainer/")
    for job_id in ("ftjob-live", "ftjob-done"):
        admin.get_by_label(f"Choose {job_id}").check()
    admin.get_by_role("button", name="Compare the chosen ones").click()
    expect(admin.get_by_role("img", name="Losses of the runs by step")).to_be_visible()
    expect(admin.locator("thead th")).to_have_count(3)
    check_page(admin)
    admin.get_by_role("link", name="Remove ftjob-live").click()
    expect(admin.locator("thead th")).to_have_count(2)
    admin.goto(f"{site.url}/console/trainer/compare")
    expect(admin.locator("main")).to_contain_text("No run is chosen")


def test_a_run_that_has_ended_is_not_asked_for_again(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/trainer/jobs/ftjob-done")
    expect(admin.locator("#live")).to_be_visible()
    assert admin.locator("[hx-sse\\:connect]").count() == 0
    expect(admin.locator("main")).to_contain_text("after 47 min of training")
    check_page(admin)
    assert_reached_by_keyboard(admin)


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
    for path in (
        "",
        "jobs/ftjob-live",
        "jobs/ftjob-done",
        "jobs/ftjob-paused",
        "compare?job=ftjob-live&job=ftjob-done",
    ):
        admin.goto(f"{site.url}/console/trainer/{path}{'&' if '?' in path else '?'}language=zh")
        assert english_left(admin, OWN) == [], path


def test_a_run_of_another_person_is_not_found(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    response = page.goto(f"{site.url}/console/trainer/jobs/ftjob-live")
    assert response is not None
    assert response.status == 404


def test_ten_thousand_steps_and_200_checkpoints_make_a_page_of_the_same_size(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = store_of_runs()
    checkpoints = tuple(checkpoint(step) for step in range(50, 10_001, 50))
    long = run("ftjob-long", "running", total=10_000, started_at=1, checkpoints=checkpoints)
    add(store, long, 10_000)
    with serving([routes], tmp_path_factory.mktemp("site"), lambda *_: use_cases(store)) as site:
        site.sign_in(page.context, "admin")
        page.route("**/console/jobs/**", lambda route: route.fulfill(body="<p></p>"))
        with first_screen(page) as counted:
            page.goto(f"{site.url}/console/trainer/jobs/ftjob-long")
        assert counted["sent"] < CURVE_PAGE_BYTES

"""The form of a new job in a browser: the trainer's pages beside the gateway's jobs API, over stores in memory."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from litestar import Router
from playwright.sync_api import Error, Page, Route, expect

from services.gateway.common.api.error_responses import HANDLERS
from services.gateway.fine_tuning.api.jobs import routes as jobs_api
from services.gateway.fine_tuning.domain.configuration import Configuration, configuration_id
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.trainer.domain.new_job.job_options import NamedOption
from services.trainer.pages.routes import routes
from services.trainer.service.run_store import RunStore
from shared.events import DatasetUploaded
from tests.browser.checks import PAGE_BYTES, assert_reached_by_keyboard, check_page, english_left, first_screen
from tests.browser.console_data import ConsoleData
from tests.browser.site import Site, at_once, serving
from tests.browser.trainer_data import ARTIFACT, BASE, HOSTILE, MACHINE, data_of, dataset, run, store_of_runs, use_cases

GATEWAY = Router("/", route_handlers=[jobs_api], exception_handlers=HANDLERS)
OWN = ("ftjob-", "file-", "shop", "auto", BASE, "LoRA", "Ana Ruiz", "admin", "faq.jsonl", "careful", "</text>")


@pytest.fixture(scope="module")
def store() -> RunStore:
    store = store_of_runs()
    dataset(store, "file-faq", "faq.jsonl", 400)
    dataset(store, "file-hostile", HOSTILE, 40)
    for kind, name in (("suite", "shop"), ("policy", "careful")):
        at_once(store.options.create(NamedOption(kind=kind, name=name, newest=1)))  # type: ignore[arg-type]
    return store


@pytest.fixture(scope="module")
def gateway() -> ConsoleData:
    data = ConsoleData()
    configurations = data.store.collection("configurations", Configuration)
    for kind, name in (("suite", "shop"), ("suite", "general"), ("policy", "careful")):
        made = Configuration(id=configuration_id(kind, name), number=1)  # type: ignore[arg-type]
        at_once(configurations.create(made))
    for file_id in ("file-faq", "file-hostile"):
        uploaded = DatasetUploaded(file_id=file_id, filename="faq.jsonl", artifact=ARTIFACT)
        at_once(data.files.create(UploadedFile(id=file_id, at=1, known=True, upload=uploaded)))
    return data


@pytest.fixture(scope="module")
def site(store: RunStore, gateway: ConsoleData, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def provide(*_: Any) -> dict[str, Any]:
        return use_cases(store) | {"jobs": gateway.job_use_cases}

    with serving([routes, GATEWAY], tmp_path_factory.mktemp("site"), provide) as site:
        yield site


@pytest.fixture
def form(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "admin")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{site.url}/console/trainer/new")
    return page


def test_every_auto_is_resolved_and_explained_before_the_start(site: Site, page: Page) -> None:
    site.sign_in(page.context, "admin")
    with first_screen(page) as counted:
        page.goto(f"{site.url}/console/trainer/new")
    assert counted["sent"] < PAGE_BYTES
    expect(page.get_by_label("Data")).to_have_value("file-faq")
    expect(page.locator("#out-n_epochs")).to_contain_text("auto is 12.5 for 320 rows")
    expect(page.locator("#out-tuning")).to_contain_text("auto is LoRA: it learns")
    expect(page.locator("#out-max_length")).to_contain_text("auto is 8,192: the most that the base model can read")
    expect(page.locator("#plan")).to_contain_text("320 to train on, 40 for validation, 40 for the test")
    expect(page.locator("#plan")).to_contain_text("no run of this base model and method has ended on this machine yet")
    check_page(page)
    assert_reached_by_keyboard(page)


def test_the_plan_follows_the_form_and_the_address_keeps_what_was_typed(form: Page) -> None:
    form.get_by_label("Epochs").fill("2")
    form.get_by_label("Data").select_option("file-hostile")
    expect(form.locator("#plan")).to_contain_text("32 to train on")
    expect(form.locator("#out-n_epochs")).to_have_text("")
    form.reload()
    expect(form.get_by_label("Epochs")).to_have_value("2")
    expect(form.get_by_label("Data")).to_have_value("file-hostile")


def test_the_plan_says_whether_general_ability_is_measured(form: Page) -> None:
    expect(form.locator("#plan")).to_contain_text("unless the evaluator has a default suite")
    form.get_by_label("shop", exact=True).check()
    expect(form.locator("#plan")).to_contain_text("the suite general is not chosen")
    form.get_by_label("Others by name").fill("general@3")
    expect(form.locator("#plan")).to_contain_text("measured by the suite general")


def test_a_job_that_is_trained_again_has_its_suites_ticked(site: Site, form: Page, store: RunStore) -> None:
    earlier = run("ftjob-earlier", "succeeded")
    spec = earlier.request.spec.model_copy(update={"metadata": {"suite": "shop, theirs, shop@2"}})
    request = earlier.request.model_copy(update={"spec": spec, "training_file": "file-faq"})
    at_once(store.runs.create(earlier.model_copy(update={"request": request})))
    form.goto(f"{site.url}/console/trainer/new?like=ftjob-earlier")
    expect(form.get_by_label("shop", exact=True)).to_be_checked()
    expect(form.get_by_label("Others by name")).to_have_value("theirs, shop@2")


def test_policies_are_offered_and_others_can_be_typed(form: Page) -> None:
    offered = form.locator("#policies option").evaluate_all("found => found.map((one) => one.value)")
    assert offered == ["automatic", "careful", "guarded", "hybrid"]
    form.get_by_label("Policy").fill("another")
    expect(form.get_by_label("Policy")).to_have_value("another")


def test_a_value_that_cannot_be_used_is_explained_at_its_field(form: Page) -> None:
    form.get_by_label("Rank of LoRA").fill("a lot")
    expect(form.locator("#out-lora_rank")).to_contain_text("valid integer")
    form.get_by_label("Rank of LoRA").fill("8")
    form.get_by_label("Method").select_option("full")
    expect(form.locator("#out-lora_rank")).to_contain_text("does not apply to tuning 'full'")
    check_page(form)


def test_the_plan_is_that_of_the_last_change_although_an_earlier_answer_is_late(form: Page) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    form.route("**/console/trainer/new/plan?**", hold_the_first)
    with form.expect_request("**/console/trainer/new/plan?**"):
        form.get_by_label("Rank of LoRA").fill("8")
    form.get_by_label("Epochs").fill("2")
    form.get_by_label("Method").select_option("full")
    form.wait_for_timeout(600)
    # The browser may have dropped it.
    with suppress(Error):
        held[0].continue_()
    expect(form.locator("#out-lora_rank")).to_contain_text("does not apply to tuning 'full'")


def test_the_time_is_estimated_from_runs_that_were_measured_on_this_machine(
    site: Site, form: Page, store: RunStore
) -> None:
    facts = {"machine": MACHINE, "attempt": 1, "duration_s": 120.0, "data": data_of(store, "file-faq")}
    ended = run("ftjob-measured", "succeeded", **facts)
    at_once(store.runs.create(ended))
    form.reload()
    # 620 steps of 16 rows took 120 s; 1 000 steps of 4 rows are 0.4 of these rows.
    expect(form.locator("#plan")).to_contain_text("about 48")


def test_a_refusal_of_the_api_stands_at_its_field_and_what_was_typed_stays(form: Page) -> None:
    form.get_by_label("Name", exact=True).fill("shop assistant")
    form.get_by_label("Rank of LoRA").fill("200")
    form.get_by_role("button", name="Start the job").click()
    expect(form.locator("#problem-suffix")).to_contain_text("Invalid value for 'suffix'")
    form.get_by_label("Name", exact=True).fill("shop")
    form.get_by_role("button", name="Start the job").click()
    expect(form.locator("#problem-lora_rank")).to_contain_text("'lora_rank' can be at most 16")
    expect(form.get_by_label("Name", exact=True)).to_have_value("shop")
    check_page(form)


def test_a_press_counts_although_the_plan_arrives_while_the_button_is_held(form: Page) -> None:
    form.get_by_label("Rank of LoRA").fill("200")
    form.get_by_label("Name", exact=True).fill("shop assistant")
    expect(form.locator("#plan")).to_contain_text("A field needs a look")
    form.get_by_label("Name", exact=True).fill("shop")
    button = form.get_by_role("button", name="Start the job")
    button.hover()
    form.mouse.down()
    form.wait_for_timeout(700)
    form.mouse.up()
    expect(form.locator("#problem-lora_rank")).to_contain_text("'lora_rank' can be at most 16")
    expect(form.locator("#plan")).to_contain_text("LoRA, rank 200")


def test_a_job_is_started_once_with_what_the_form_says_and_its_page_opens_when_it_has_arrived(
    site: Site, form: Page, store: RunStore, gateway: ConsoleData
) -> None:
    form.get_by_label("Name", exact=True).fill("shop")
    form.get_by_label("Epochs").fill("2.5")
    form.get_by_label("shop", exact=True).check()
    form.get_by_label("By name").or_(form.get_by_label("Others by name")).fill("general")
    form.get_by_label("Policy").fill("careful")
    form.get_by_label("Early stopping").select_option("false")
    form.get_by_role("button", name="Start the job").dblclick()
    form.wait_for_url("**/console/trainer/jobs/*?new=1")
    [job] = at_once(gateway.jobs.find())
    spec = job.requested.spec
    assert (spec.base_model, spec.suffix, spec.policy) == (BASE, "shop", "careful")
    assert spec.metadata["suite"] == "shop,general"
    assert spec.hyperparameters.model_dump(exclude_none=True) == {"n_epochs": 2.5, "early_stopping": False}
    expect(form.locator("main")).to_contain_text("on its way to the trainer")
    check_page(form)
    form.route("**/console/jobs/**", lambda route: route.fulfill(body="<p></p>"))
    at_once(store.runs.create(run(job.id, "queued", suffix="shop")))
    form.wait_for_url(f"**/console/trainer/jobs/{job.id}")
    expect(form.locator("#head")).to_contain_text("waits for a trainer")


def test_without_checked_data_the_form_says_where_to_upload(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving([routes], tmp_path_factory.mktemp("site"), lambda *_: use_cases(store_of_runs())) as site:
        site.sign_in(page.context, "train")
        page.goto(f"{site.url}/console/trainer/new")
        expect(page.get_by_role("link", name="Upload data")).to_be_visible()
        check_page(page)


def test_data_of_another_person_is_not_offered_and_cannot_be_planned(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/trainer/new")
    expect(page.locator("main")).to_contain_text("No checked data yet")
    page.goto(f"{site.url}/console/trainer/new?training_file=file-faq&model={BASE}")
    expect(page.locator("#out-training_file")).to_have_text("you have no checked dataset file-faq")


def test_the_form_in_chinese_leaves_no_word_in_english(site: Site, form: Page) -> None:
    form.goto(f"{site.url}/console/trainer/new?language=zh")
    assert english_left(form, OWN) == []

"""Evaluated checkpoints, comparisons and their items in a browser, over use cases in memory."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from services.evaluator.pages.routes import routes
from shared.store.memory import MemoryDocuments
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.counted_queries import Counted
from tests.browser.evaluator_data import BASE, GROUP, HOSTILE, EvaluatorData, evaluation
from tests.browser.site import Site, at_once, serving
from tests.browser.without_deadline import without_deadline

OWN = (
    "ftjob-", "shop", "faq", "intent", "fuzzy", "accuracy", "score", "exact_match", "rouge_l", "bleu", BASE, "loans",
    "Ana Ruiz", "admin", "v-", "support", "Excel", "CSV", "system", HOSTILE, GROUP, "men",
)  # fmt: skip
COMPARE = "compare?of=ftjob-3e91c7/248&of=ftjob-3e91c7/310&base=true&production=true"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data = EvaluatorData(tmp_path_factory.mktemp("data"))
    folder = tmp_path_factory.mktemp("site")
    with without_deadline(), serving([routes], folder, data.provide, lifespan=[data.filled]) as site:
        yield site


@pytest.fixture
def admin(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "admin")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return page


def counted_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the queries that are made from now on."""
    asked: list[str] = []
    for name in ("find", "get"):
        query = getattr(MemoryDocuments, name)

        def counted(*args: Any, name: str = name, query: Any = query, **kwargs: Any) -> Any:
            asked.append(name)
            return query(*args, **kwargs)

        monkeypatch.setattr(MemoryDocuments, name, counted)
    return asked


def test_checkpoints_are_chosen_and_compared(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        admin.goto(f"{site.url}/console/evaluator/")
    assert counted["sent"] < PAGE_BYTES
    expect(admin.locator("main")).to_contain_text("could not be scored")
    expect(admin.locator("main")).to_contain_text(HOSTILE)
    check_page(admin)
    row = admin.get_by_role("row")
    expect(row.filter(has_text="support")).to_contain_text("exact_match, validation split")
    expect(row.filter(has_text="310")).to_contain_text("shop.score, suite shop")
    compare = admin.get_by_role("button", name="Compare", exact=True)
    expect(compare).to_have_css("cursor", "not-allowed")
    expect(admin.get_by_text("choose at least one checkpoint")).to_be_visible()
    for step in (248, 310):
        admin.get_by_label(f"Choose shop, checkpoint {step}").check()
    admin.get_by_label("with production").check()
    expect(compare).to_have_css("cursor", "pointer")
    expect(admin.get_by_text("choose at least one checkpoint")).to_be_hidden()
    compare.click()
    expect(admin.locator(".head")).to_contain_text("4 models, 114 questions: test split 25, suite shop 89")
    check_page(admin)


def test_an_unticked_checkbox_does_not_look_disabled_in_the_dark_theme(site: Site, admin: Page) -> None:
    admin.emulate_media(color_scheme="dark")
    admin.goto(f"{site.url}/console/evaluator/")
    panel = admin.locator(".panel").first.evaluate("panel => getComputedStyle(panel).backgroundColor")
    usable, disabled = admin.get_by_label("with production"), admin.locator("tbody input:disabled").first
    expect(usable).to_have_css("background-color", panel)
    expect(disabled).not_to_have_css("background-color", panel)


def test_a_comparison_names_its_split_and_why_production_is_left_out(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/compare?of=ftjob-9d88bf/126&base=true&production=true")
    expect(admin.locator(".head")).to_contain_text("2 models, 25 questions of the validation split")
    expect(admin.locator("article h3")).to_have_text("validation 2")
    expect(admin.get_by_role("alert")).to_have_count(0)
    expect(admin.locator("main")).to_contain_text(
        f"Production is left out: no version of {BASE} was served under support when support, checkpoint 126"
    )
    expect(admin.locator("main")).to_contain_text("The verdict on a job rests on the test split")
    copy = admin.get_by_role("button", name="Copy ftjob-9d88bf/126")
    expect(copy).to_have_attribute("data-copy", "ftjob-9d88bf/126")


def test_an_answer_that_shares_almost_nothing_with_the_reference_is_shown_plain(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/compare?of=ftjob-9d88bf/126&base=true&item=:4&which=all")
    answer = admin.locator(".ans-t tbody tr").first.locator("td").first
    expect(answer).to_contain_text("You get it back within 3 days.")
    expect(answer).to_contain_text("shares almost nothing with the reference")
    expect(answer.locator("ins, del")).to_have_count(0)


def test_the_paired_test_speaks_in_words_and_signs(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}")
    better = admin.locator(".cmp .tag.good").first
    expect(better).to_contain_text("better +")
    expect(admin.get_by_text("the others are tested against it")).to_have_count(1)
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}&against=production&model=base")
    # The main metric comes first, then those on which the model that is looked at is worse.
    expect(admin.locator(".cmp tbody th").first).to_contain_text("shop.score")
    expect(admin.locator(".cmp tbody tr").nth(1).locator(".tag.bad")).to_contain_text("worse −")


def test_items_begin_with_the_largest_loss_and_mark_what_differs(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}&against=production&model=ftjob-3e91c7/310")
    differences = [float(text.replace("−", "-")) for text in admin.locator(".pick .st").all_text_contents()]
    assert differences == sorted(differences)
    assert differences[0] < 0
    admin.get_by_role("link", name=re.compile("^All")).click()
    admin.get_by_role("link", name="On", exact=True).click()
    expect(admin.locator("#questions")).to_contain_text("Page 2")
    admin.goto(
        f"{site.url}/console/evaluator/{COMPARE}&against=production&model=ftjob-3e91c7/310&item=shop.faq:1&which=all"
    )
    opened = admin.locator("article")
    expect(opened.locator("ins").first).to_be_visible()
    expect(opened.locator("del").filter(has_text="拍打")).not_to_have_count(0)
    expect(opened).to_contain_text(HOSTILE)


def test_few_questions_are_said_beside_the_scores(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}")
    box = admin.get_by_role("status").filter(has_text="What these scores cannot tell")
    expect(box).to_contain_text("shop.faq: 25 items cannot confirm a difference of less than 24 % between two models")
    expect(box).to_contain_text("shop, checkpoint 310")


def test_the_groups_of_a_fairness_task_are_compared_within_each_model(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}")
    panel = admin.get_by_role("region", name="The same questions for each group").first
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="checkpoint 310")).to_contain_text(f"worse for {GROUP}")
    expect(rows.filter(has_text="Base model")).to_contain_text("no difference")


def test_pictures_say_what_they_show(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}")
    expect(admin.get_by_role("img", name="Scores of 4 models")).to_be_visible()
    expect(admin.get_by_role("img", name="metrics of 3 models")).to_be_visible()


def test_a_comparison_is_a_file_too(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/console/evaluator/{COMPARE}")
    for name in ("Excel", "CSV"):
        with admin.expect_download() as download:
            admin.get_by_role("link", name=name).click()
        assert download.value.path().stat().st_size > 500


def test_too_many_models_can_be_left_out_one_by_one(site: Site, admin: Page) -> None:
    many = "&".join(f"of=ftjob-3e91c7/{step}" for step in (248, 310, 1, 2, 3, 4))
    answer = admin.goto(f"{site.url}/console/evaluator/compare?{many}&base=true")
    assert answer is not None
    assert answer.status == 422
    expect(admin.get_by_role("alert")).to_contain_text("7 models are too many")
    check_page(admin)
    admin.get_by_role("link", name="Leave out ftjob-3e91c7/4").click()
    expect(admin.locator("main")).to_contain_text("there is no evaluation of")


def test_checkpoints_of_others_are_not_found(site: Site, page: Page) -> None:
    site.sign_in(page.context, "train")
    page.goto(f"{site.url}/console/evaluator/")
    expect(page.locator("main")).to_contain_text("Nothing was evaluated yet")
    check_page(page)
    answer = page.goto(f"{site.url}/console/evaluator/{COMPARE}")
    assert answer is not None
    assert answer.status == 404


def test_chinese_leaves_no_word_in_english(site: Site, admin: Page) -> None:
    for path in ("", f"{COMPARE}&", "compare?of=ftjob-9d88bf/126&production=true&", "compare?of="):
        admin.goto(f"{site.url}/console/evaluator/{path}{'' if '?' in path else '?'}&language=zh")
        assert english_left(admin, OWN) == [], path


@pytest.mark.parametrize("which", ["", "&which=all&page=2"])
def test_a_comparison_makes_at_most_a_query_for_each_model(site: Site, counted: Counted, which: str) -> None:
    secret = site.keyring.create("counting", ("admin",))
    headers = {"authorization": f"Bearer {secret}"}
    answer = httpx.get(f"{site.url}/console/evaluator/{COMPARE}{which}", headers=headers)
    assert "ftjob-3e91c7" in answer.raise_for_status().text
    assert counted.queries <= 4


def test_two_hundred_checkpoints_go_page_by_page_and_stay_chosen(
    page: Page, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = EvaluatorData(tmp_path_factory.mktemp("data"))
    asked = counted_queries(monkeypatch)
    for step in range(200):
        at_once(data.evaluations.store.create(evaluation(step, metrics=20)))
    with serving([routes], tmp_path_factory.mktemp("site"), data.provide) as site:
        site.sign_in(page.context, "admin")
        with first_screen(page) as counted:
            page.goto(f"{site.url}/console/evaluator/")
        assert counted["sent"] < PAGE_BYTES
        assert asked == ["find"]
        # All rows have the same metric, so that the head names it.
        expect(page.locator("thead")).to_contain_text("shop.task0.fuzzy, suite shop")
        expect(page.locator("tbody")).not_to_contain_text("suite shop")
        page.get_by_label("Choose shop, checkpoint 199").check()
        page.get_by_role("button", name="Older").click()
        expect(page.get_by_label("ftjob-long/199")).to_be_checked()
        expect(page.get_by_label("Choose shop, checkpoint 174")).to_be_visible()

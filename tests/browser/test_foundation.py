"""The layout and its components in a browser: accessible, small, safe, in two languages and two themes."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import gallery
from tests.browser.checks import PAGE_BYTES, SCRIPT_BYTES, assert_reached_by_keyboard, check_page, first_screen
from tests.browser.site import Site, serving

PATH = "/console/gallery/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(gallery.routes, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def signed_in(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "train")
    return page


def test_every_component_is_accessible_in_both_themes_and_fits_1024_px(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    expect(signed_in.locator("#part")).to_be_visible()
    check_page(signed_in, widths=(1024, 1280))


def test_the_first_screen_stays_within_the_budget(site: Site, signed_in: Page) -> None:
    with first_screen(signed_in) as counted:
        signed_in.goto(site.url + PATH)
    assert 5_000 < counted["sent"] < PAGE_BYTES
    assert 5_000 < counted["script"] < SCRIPT_BYTES


def test_markup_in_texts_is_shown_as_text(site: Site, signed_in: Page) -> None:
    signed_in.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    signed_in.goto(site.url + PATH)
    expect(signed_in.locator("#part")).to_have_text(gallery.HOSTILE)
    expect(signed_in.locator("#text p").first).to_have_text(gallery.HOSTILE)
    assert signed_in.locator("main img, main script").count() == 0


def test_the_page_speaks_chinese_and_remembers_that(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    signed_in.get_by_role("link", name="中文").click()
    expect(signed_in.locator("nav")).to_contain_text("训练")
    assert signed_in.evaluate("document.documentElement.lang") == "zh"
    signed_in.goto(site.url + PATH)
    expect(signed_in.locator("nav")).to_contain_text("训练")


def test_the_theme_is_switched_and_the_server_draws_the_next_page_in_it(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = signed_in.evaluate(ground)
    signed_in.get_by_role("button", name="Dark or light").click()
    dark = signed_in.evaluate(ground)
    assert dark != light
    signed_in.reload()
    assert signed_in.evaluate("document.documentElement.dataset.theme") == "dark"
    assert signed_in.evaluate(ground) == dark


def test_the_code_drawer_opens_and_copies_without_the_key(site: Site, signed_in: Page) -> None:
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in.goto(site.url + PATH)
    signed_in.get_by_role("link", name="As code").click()
    expect(signed_in.locator("#code")).to_be_visible()
    signed_in.locator("#code").get_by_role("button", name="Copy").click()
    expect(signed_in.locator("#announcement")).to_have_text("Copied")
    copied = signed_in.evaluate("navigator.clipboard.readText()")
    assert copied == f'curl -H "authorization: Bearer $ASSAY_KEY" {site.url}/v1/fine_tuning/jobs'


def test_times_are_shown_in_the_readers_zone_and_exactly_on_hover(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    time = signed_in.locator("time").first
    expect(time).to_have_text("14 Nov 2023, 23:13")
    assert "2023" in (time.get_attribute("title") or "")


def test_a_service_that_is_away_says_so_in_its_place_and_the_rest_works(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    expect(signed_in.get_by_text("A service does not answer")).to_be_visible()
    expect(signed_in.locator("#part")).to_be_visible()


def test_without_a_session_the_page_leads_to_the_sign_in_and_back(site: Site, page: Page) -> None:
    response = page.request.get(site.url + PATH + "?split=test", max_redirects=0)
    assert response.status == 303
    assert response.headers["location"] == "/console/sign-in?next=/console/gallery/%3Fsplit%3Dtest"


def test_a_session_that_lacks_the_scope_is_told_which_one_it_needs(site: Site, page: Page) -> None:
    site.sign_in(page.context, "infer")
    response = page.goto(site.url + PATH)
    assert response is not None
    assert response.status == 403
    expect(page.get_by_role("alert")).to_contain_text("this page needs the scope 'train'")
    check_page(page)


@pytest.mark.parametrize(("path", "status", "words"), [("missing", 404, "Not found"), ("broken", 500, "went wrong")])
def test_errors_are_pages_that_people_can_read(site: Site, signed_in: Page, path: str, status: int, words: str) -> None:
    response = signed_in.goto(site.url + PATH + path)
    assert response is not None
    assert response.status == status
    expect(signed_in.get_by_role("heading", level=1)).to_contain_text(words)
    check_page(signed_in)


def test_a_form_of_the_console_is_accepted_and_one_of_another_site_is_refused(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    post = "async () => (await fetch('/v1/notes', {method: 'POST'})).status"
    assert signed_in.evaluate(post) == 204
    with serving([], site.keyring.path.parent) as other:
        # The same site for cookies (they ignore the port), but another origin.
        signed_in.goto(f"{other.url}/nothing")
        attack = f"""() => {{ const f = document.createElement('form'); f.method = 'post';
            f.action = '{site.url}/v1/notes'; document.body.append(f); f.submit(); }}"""
        with signed_in.expect_response("**/v1/notes") as answered:
            signed_in.evaluate(attack)
        assert answered.value.status == 403


def test_a_lost_connection_is_told_and_its_end_too(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    expect(signed_in.get_by_text("A service does not answer")).to_be_visible()
    expect(signed_in.locator("#part")).to_be_visible()
    signed_in.context.set_offline(True)
    expect(signed_in.locator("#lost")).to_be_visible()
    signed_in.context.set_offline(False)
    expect(signed_in.locator("#lost")).to_be_hidden()


def test_an_action_that_fails_shows_the_message_until_it_is_closed_or_one_succeeds(site: Site, signed_in: Page) -> None:
    signed_in.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    signed_in.goto(site.url + PATH)
    box = signed_in.locator("#problem")
    signed_in.get_by_role("button", name="Fails").click()
    expect(box).to_contain_text(f"the job {gallery.HOSTILE} has already completed")
    check_page(signed_in)
    box.get_by_role("button", name="Close").click()
    expect(box).to_be_hidden()
    signed_in.get_by_role("button", name="Fails").click()
    expect(box).to_be_visible()
    signed_in.get_by_role("button", name="Works").click()
    expect(box).to_be_hidden()


def test_a_form_is_sent_as_json_once_and_an_error_stands_at_its_field(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    signed_in.get_by_role("button", name="Send").click()
    expect(signed_in.locator("#suffix-problem")).to_have_text("'suffix' is missing.")
    expect(signed_in.get_by_label("Suffix")).to_be_focused()
    expect(signed_in.get_by_label("Epochs")).to_have_value("3")
    signed_in.get_by_label("Suffix").fill("shop")
    signed_in.get_by_role("button", name="Send").click()
    signed_in.wait_for_url("**/?made=made%201")
    assert gallery.FORMS.bodies == [{"method": {"n_epochs": 3}}, {"suffix": "shop", "method": {"n_epochs": 3}}]
    assert len(set(gallery.FORMS.keys)) == 2


def test_an_action_after_the_session_has_ended_says_so(site: Site, signed_in: Page) -> None:
    signed_in.goto(site.url + PATH)
    signed_in.context.clear_cookies()
    signed_in.get_by_role("button", name="Works").click()
    expect(signed_in.locator("#signed-out")).to_be_visible()


@pytest.mark.parametrize(
    ("html", "missed"),
    [
        ("<style>p { cursor: pointer }</style><a href='#'>seen</a><p>pressed by mouse alone</p>", "does not reach"),
        ("<button>seen</button><a href='#' tabindex='-1'>left out</a>", "does not reach"),
        ("<style>a { outline: none }</style><a href='#'>no ring</a>", "nothing shows"),
    ],
)
def test_the_check_of_the_keyboard_finds_what_it_should(page: Page, html: str, missed: str) -> None:
    page.set_content(html)
    with pytest.raises(AssertionError, match=missed):
        assert_reached_by_keyboard(page)
    page.set_content("<button>a</button><label>b <input type='radio' name='n'></label><input type='radio' name='n'>")
    assert_reached_by_keyboard(page)

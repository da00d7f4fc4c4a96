"""Admin in a browser: keys, people, usage, audit, webhooks, live events and dead letters, over stores in memory."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.gateway.common.api import error_responses
from services.gateway.console.pages import invitation, sign_in
from services.gateway.console.pages.routes import ROUTES
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from shared.security import new_key
from tests.browser.admin_data import HOSTILE, AdminData, entry, used
from tests.browser.checks import PAGE_BYTES, check_page, english_left, first_screen
from tests.browser.site import Site, at_once, serving

TABS = ("keys", "people", "usage", "audit", "webhooks", "events", "dead_letters")
OWN = (
    *("Ana Ruiz", "Lin Yue", "key_", "admin", "train", "review", "infer", "publish", "v-1", "127.0.0.1", "gateway"),
    *("hook", "https://", "dead.", "eval.done", "checkpoint.saved", "evaluator", "trainer", "shop", "POST", HOSTILE),
    *("support", "ingest", "inv-"),
)


def site_with(data: AdminData, folder: Path) -> Any:
    routes = [sign_in.routes, invitation.routes, ROUTES[2]]
    return serving(routes, folder, data.use_cases, exception_handlers=error_responses.HANDLERS)


@pytest.fixture
def data() -> AdminData:
    return AdminData()


@pytest.fixture
def site(data: AdminData, tmp_path: Path) -> Iterator[Site]:
    with site_with(data, tmp_path) as site:
        yield site


@pytest.fixture
def admin(site: Site, page: Page) -> Page:
    site.sign_in(page.context, "admin")
    return page


def open_tab(site: Site, page: Page, tab: str) -> None:
    page.goto(f"{site.url}/console/admin/{tab}")


def test_a_key_is_made_shown_once_limited_and_taken_away(site: Site, admin: Page) -> None:
    with first_screen(admin) as counted:
        open_tab(site, admin, "keys")
    assert counted["sent"] < PAGE_BYTES
    check_page(admin)
    admin.locator("summary").filter(has_text="Make a key").click()
    admin.get_by_label("Name", exact=True).first.fill("shop backend")
    admin.get_by_label("requests a minute").first.fill("600")
    admin.get_by_label("unfinished jobs").first.fill("5")
    admin.get_by_role("button", name="Make the key").click()
    secret = admin.locator("#secret").text_content() or ""
    assert site.keyring.authenticate(f"Bearer {secret}").requests_per_minute == 600
    check_page(admin)
    open_tab(site, admin, "keys")
    expect(admin.locator("main")).not_to_contain_text(secret)
    row = admin.get_by_role("row").filter(has_text="shop backend")
    expect(row).to_contain_text("600 requests a minute")
    expect(row).to_contain_text("unfinished jobs: 5")
    row.get_by_text("Change").click()
    row.get_by_role("button", name="Take the key away").click()
    expect(admin.get_by_role("row").filter(has_text="shop backend")).to_have_count(0)


def test_a_refused_key_keeps_what_was_typed(site: Site, admin: Page) -> None:
    open_tab(site, admin, "keys")
    admin.locator("summary").filter(has_text="Make a key").click()
    admin.get_by_label("Name", exact=True).first.fill("shop")
    admin.locator("#new-infer").uncheck()
    admin.get_by_role("button", name="Make the key").click()
    expect(admin.get_by_role("alert")).to_contain_text("'scopes'")
    expect(admin.get_by_label("Name", exact=True).first).to_have_value("shop")


def test_a_person_joins_by_a_link_that_works_once_and_makes_a_key(site: Site, data: AdminData, admin: Page) -> None:
    open_tab(site, admin, "people")
    check_page(admin)
    admin.get_by_label("Name", exact=True).first.fill("Lin Yue")
    admin.get_by_label("infer call models").check()
    admin.get_by_role("button", name="Make the invitation").click()
    link = admin.locator("#link").text_content() or ""
    check_page(admin)
    admin.context.clear_cookies()
    admin.goto(link)
    check_page(admin)
    admin.get_by_label("Language").select_option("zh")
    admin.get_by_role("button", name="Join").click()
    admin.goto(f"{site.url}/console/admin/keys")
    expect(admin.locator("html")).to_have_attribute("lang", "zh")
    assert english_left(admin, OWN) == []
    admin.goto(f"{site.url}/console/admin/keys?language=en")
    expect(admin.get_by_role("navigation", name="Admin").get_by_role("link", name="People")).to_have_count(0)
    admin.get_by_label("Name", exact=True).first.fill("my laptop")
    admin.get_by_role("button", name="Make the key").click()
    secret = admin.locator("#secret").text_content() or ""
    key = site.keyring.authenticate(f"Bearer {secret}")
    person = site.keyring.get(key.person)
    assert person is not None
    assert (person.is_own_key, person.name) == (True, "Lin Yue")
    admin.context.clear_cookies()
    response = admin.goto(link)
    assert response is not None
    assert response.status == 401
    expect(admin.get_by_role("alert")).to_contain_text("this invitation was used before")


def test_a_revoked_invitation_is_refused_and_a_removed_person_is_signed_out(site: Site, admin: Page) -> None:
    open_tab(site, admin, "people")
    admin.get_by_label("Name", exact=True).first.fill("Lin Yue")
    admin.get_by_role("button", name="Make the invitation").click()
    link = admin.locator("#link").text_content() or ""
    admin.get_by_role("button", name="Revoke the invitation of Lin Yue").click()
    expect(admin.get_by_role("row").filter(has_text="Lin Yue")).to_contain_text("revoked")
    answer = admin.request.get(link)
    assert answer.status == 401
    assert "was revoked" in answer.text()


def test_another_site_cannot_invite_or_accept(site: Site, admin: Page) -> None:
    for path in ("admin/people/invite", "admin/keys", "admin/dead_letters/replay_all", "invitation"):
        answer = admin.request.post(f"{site.url}/console/{path}", headers={"origin": "https://evil.example"})
        assert answer.status == 403, path


def test_a_person_sees_neither_the_keys_nor_the_usage_nor_the_webhooks_of_another(
    site: Site, data: AdminData, page: Page
) -> None:
    other, _ = new_key("secret project", ("train",))
    site.keyring.learn([other])
    at_once(data.usage.put(used(other.id, "v-1", 1000)))
    site.sign_in(page.context, "train")
    for tab in ("keys", "usage", "webhooks"):
        open_tab(site, page, tab)
        expect(page.locator("main")).not_to_contain_text(other.id)
        expect(page.locator("main")).not_to_contain_text("secret project")
        check_page(page)
    for tab in ("people", "audit", "dead_letters"):
        assert page.request.get(f"{site.url}/console/admin/{tab}").status == 403, tab
    headers = {"origin": site.url}
    answer = page.request.post(f"{site.url}/console/admin/keys/delete", headers=headers, form={"id": other.id})
    assert answer.status == 404
    for action in ("keys/rotate", "keys/change", "people/remove", "dead_letters/replay_all"):
        assert page.request.post(f"{site.url}/console/admin/{action}", headers=headers).status == 403, action


def test_usage_is_a_picture_with_its_table(site: Site, data: AdminData, admin: Page) -> None:
    for days_ago in (0, 3):
        at_once(data.usage.put(used("key_a1", "v-1", 1000, days_ago)))
    open_tab(site, admin, "usage")
    expect(admin.get_by_role("img", name="Tokens by day")).to_be_visible()
    expect(admin.get_by_role("row").filter(has_text="key_a1")).to_contain_text("3,000")
    check_page(admin)


def test_the_audit_log_is_filtered_and_goes_page_by_page(site: Site, data: AdminData, admin: Page) -> None:
    for number in range(60):
        at_once(data.audit.create(entry(number)))
    at_once(data.audit.create(entry(99, object_id="pool-x", status=403, action="PUT /v1/pools/{base}")))
    admin.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    open_tab(site, admin, "audit")
    expect(admin.locator("tbody tr")).to_have_count(50)
    check_page(admin)
    admin.get_by_role("link", name="Older").click()
    expect(admin.locator("tbody tr")).to_have_count(11)
    admin.get_by_label("Object").fill("pool-x")
    admin.get_by_role("button", name="Show").click()
    expect(admin.locator("tbody tr")).to_have_count(1)
    expect(admin.locator("tbody")).to_contain_text("403 refused")


def test_a_webhook_is_added_and_a_delivery_is_delivered_again(site: Site, data: AdminData, admin: Page) -> None:
    open_tab(site, admin, "webhooks")
    check_page(admin)
    admin.get_by_label("Name", exact=True).fill("shop hook")
    admin.get_by_label("Address").fill("https://example.com/hook")
    admin.get_by_role("button", name="Add the endpoint").click()
    expect(admin.locator("#secret")).to_contain_text("whsec_")
    [hook] = at_once(data.webhooks.find())
    call = WebhookDelivery(
        id="d1",
        at=time.time(),
        webhook_id=hook.id,
        owner=hook.owner,
        event_id="evt-1",
        event_type="eval.done",
        payload="{}",
        status="dead",
        attempts=9,
        reason=f"the endpoint answered with 500 {HOSTILE}",
    )
    at_once(data.deliveries.create(call))
    admin.goto(f"{site.url}/console/admin/webhooks?id={hook.id}")
    expect(admin.locator("main")).to_contain_text(f"the endpoint answered with 500 {HOSTILE}")
    check_page(admin)
    admin.get_by_role("button", name="Deliver again").click()
    expect(admin.get_by_role("status").filter(has_text="The delivery is tried again")).to_be_visible()
    assert at_once(data.deliveries.get("d1")).status == "pending"


def test_dead_letters_are_replayed_one_by_one_and_all_of_a_filter(site: Site, data: AdminData, admin: Page) -> None:
    for place in range(1, 4):
        data.add_letter(place, "eval.done", "trainer-eval_done")
    data.add_letter(4, "checkpoint.saved", "evaluator-checkpoint_saved")
    admin.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    open_tab(site, admin, "dead_letters")
    expect(admin.locator("main")).to_contain_text(f"the artifact is not there: {HOSTILE}")
    check_page(admin)
    admin.get_by_role("button", name="Replay event 3").click()
    expect(admin.get_by_role("status").filter(has_text="1 event is published again")).to_be_visible()
    admin.get_by_label("Event", exact=True).select_option("eval.done")
    admin.get_by_role("button", name="Show").click()
    admin.get_by_role("button", name="Replay all of this filter").click()
    expect(admin.get_by_role("status").filter(has_text="2 events are published again")).to_be_visible()
    assert (data.dead_letters.replayed, sorted(data.dead_letters.letters)) == ([3, 1, 2], [4])


def test_events_appear_as_they_happen_and_their_data_is_text(site: Site, admin: Page) -> None:
    event = {"type": "eval.done", "subject": HOSTILE, "time": "2026-11-28T22:00:00Z", "data": {}}
    body = f": following\n\nevent: eval.done\nid: 7\ndata: {json.dumps(event)}\n\n"
    asked: list[tuple[str, str]] = []

    def answer(route: Any) -> None:
        asked.append((route.request.url, route.request.headers.get("last-event-id", "")))
        route.fulfill(status=200, headers={"content-type": "text/event-stream"}, body=body)

    admin.route("**/v1/events?*", answer)
    admin.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    admin.goto(f"{site.url}/console/admin/events?type=eval.done")
    expect(admin.locator("#events li").first).to_contain_text(f"eval.done {HOSTILE}")
    check_page(admin)
    expect(admin.locator("#events li")).to_have_count(2, timeout=10_000)
    assert [(url.partition("?")[2], last) for url, last in asked[:2]] == [
        ("type=eval.done", ""),
        ("type=eval.done", "7"),
    ]


def test_every_tab_is_in_chinese_and_ten_thousand_keys_and_people_make_one_page(site: Site, admin: Page) -> None:
    many = [new_key(f"key {number}", ("infer",))[0] for number in range(5000)]
    own = [new_key(f"person {number}", ("infer",))[0] for number in range(5000)]
    site.keyring.learn([*many, *(key.model_copy(update={"person_id": key.id}) for key in own)])
    for tab in TABS:
        with first_screen(admin) as counted:
            admin.goto(f"{site.url}/console/admin/{tab}?language=zh")
        assert counted["sent"] < PAGE_BYTES, tab
        assert english_left(admin, (*OWN, "key", "person")) == [], tab

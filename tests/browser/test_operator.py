"""An operator adds an engine, sets a canary, rolls back and replays a dead letter, by the pages alone."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from services.gateway.common.api import error_responses
from services.gateway.console.pages.routes import ROUTES
from shared.security import Keyring
from tests.browser.admin_data import AdminData
from tests.browser.serving_data import ENGINES, NAME, filled, version
from tests.browser.site import MemorySessionStore, at_once, serving


def test_an_operator_adds_an_engine_sets_a_canary_rolls_back_and_replays_a_dead_letter(
    page: Page, tmp_path: Path
) -> None:
    data, admin = filled(), AdminData()
    admin.add_letter(1, "eval.done", "gateway")

    def use_cases(keyring: Keyring, store: MemorySessionStore) -> dict[str, Any]:
        return data.use_cases | admin.use_cases(keyring, store)

    with serving(ROUTES[1:3], tmp_path, use_cases, exception_handlers=error_responses.HANDLERS) as site:
        site.sign_in(page.context, "admin")
        page.goto(f"{site.url}/console/serve/?name={NAME}")
        page.get_by_label("Address").fill("http://10.0.0.7:8000")
        page.get_by_role("button", name="Add the engine").click()
        expect(page.get_by_role("region", name="Engines")).to_contain_text("10.0.0.7:8000")
        [pool] = at_once(data.pools.listed())
        assert pool.replicas == [*ENGINES, "http://10.0.0.7:8000"]

        new, old = version(3).version, version(2).version
        page.goto(f"{site.url}/console/serve/?name={NAME}")
        page.get_by_label("Share in per cent").fill("5")
        page.get_by_role("button", name="Send 5 %").click()
        expect(page.get_by_role("status").filter(has_text="The shares are changed")).to_be_visible()
        split = at_once(data.splits.splits.get(NAME)).now.routing.split
        assert {arm.version: arm.weight for arm in split} == {new: 5, old: 95}

        page.get_by_role("row").filter(has_text=old).get_by_role("link", name="Roll back").click()
        page.get_by_label("Reason").fill("worse answers")
        page.get_by_role("button", name=f"Serve {old}").click()
        expect(page.get_by_role("row").filter(has_text=old)).to_contain_text("pinned")
        assert at_once(data.pins.get(NAME)).version == old

        page.get_by_role("link", name="Admin").click()
        page.get_by_role("link", name="Dead letters").click()
        expect(page.locator("main")).to_contain_text("the artifact is not there")
        page.get_by_role("button", name="Replay event 1").click()
        expect(page.locator("main")).not_to_contain_text("the artifact is not there")
        assert admin.dead_letters.replayed == [1]

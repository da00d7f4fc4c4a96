"""A developer makes a key in the console and copies working code out of the playground, at a running gateway."""

import os
import shutil
import subprocess
import sys
from typing import Any

from playwright.sync_api import Page, expect

from shared.settings import CommonSettings
from tests.browser.running_gateway import NAME, gateway_beside
from tests.gateway import BASE


def copied(page: Page, snippet: str) -> str:
    """What the button of a snippet puts on the clipboard."""
    page.locator(f"[data-copy-from='#code-{snippet}']").click()
    expect(page.locator("#announcement")).to_have_text("Copied")
    return page.evaluate("navigator.clipboard.readText()")


def output(command: list[str], key: str) -> str:
    environment = {**os.environ, "ASSAY_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_developer_makes_a_key_and_copies_code_that_works(
    common: CommonSettings, nats_server: Any, page: Page
) -> None:
    with gateway_beside(common, nats_server.url) as run:
        gateway, engine, made = run.started
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=gateway.url)
        page.goto(f"{gateway.url}/console/admin/keys")
        page.get_by_label("API key").fill(gateway.key("infer"))
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Name", exact=True).fill("shop backend")
        page.get_by_role("button", name="Make the key").click()
        key = page.locator("#secret").text_content() or ""

        page.goto(f"{gateway.url}/console/serve/playground?a={NAME}&b={BASE}&mode=two")
        page.get_by_label("Message").fill('Where\'s my "parcel"?\n\\o/ 包裹')
        python, curl = copied(page, "chat-python"), copied(page, "chat-curl")
        page.get_by_role("button", name="Send").click()
        # Each column says what the gateway's own answer says, so that the base column is the base model.
        expect(page.get_by_role("article").nth(0).locator("[data-version-of]")).to_have_text(made.version)
        expect(page.get_by_role("article").nth(1).locator("[data-version-of]")).to_have_text(BASE)
        assert engine.asked == {f"assay-{made.version}": 1, BASE: 1}

        # The scripted engine names the weights that answered.
        assert output([sys.executable, "-c", python], key).strip() == f"it is so assay-{made.version}"
        assert engine.bodies[-1]["messages"] == [{"role": "user", "content": 'Where\'s my "parcel"?\n\\o/ 包裹'}]
        if shutil.which("curl"):
            assert f"it is so assay-{made.version}" in output(["bash", "-c", curl], key)
        refused = page.request.post(
            f"{gateway.url}/v1/chat/completions",
            headers={"origin": "https://evil.example"},
            data={"model": BASE, "messages": [{"role": "user", "content": "x"}]},
        )
        assert refused.status == 403

"""`make screenshots`: pictures of the console's pages for the documentation, taken from the running local stack.

Run `make demo` first: the pages show its job. Each page is taken in the light and in the dark theme, as
`docs/pages/<name>.png` and `docs/pages/<name>-dark.png`.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, sync_playwright

from deploy.local import stack
from deploy.local.settings import LocalSettings
from docs import review_pictures
from docs.pictures import FOLDER, save
from tests.browser import chromium

WIDTH, HEIGHT = 1280, 800
SETTLED_MS = 1500
PAGES = {
    "home": "/console/",
    "data": "/console/ingest/",
    "dataset": "/console/ingest/datasets/{file}",
    "upload": "/console/ingest/upload",
    "templates": "/console/ingest/templates/",
    "jobs": "/console/trainer/",
    "new-job": "/console/trainer/new",
    "run": "/console/trainer/jobs/{job}",
    "evaluate": "/console/evaluator/",
    "comparison": "/console/evaluator/compare?of={job}/{step}&base=true&production=true",
    "suites": "/console/evaluator/suites",
    "review": "/console/review/",
    "verdict": "/console/review/verdicts/{job}",
    "serve": "/console/serve/",
    "playground": "/console/serve/playground",
    "keys": "/console/admin/keys",
    "usage": "/console/admin/usage",
}


def main() -> int:
    settings = LocalSettings()
    places = _newest_job(settings)
    FOLDER.mkdir(exist_ok=True)
    found = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.path, args=found.arguments, env=dict(found.environment) or None
        )
        for theme in ("light", "dark"):
            _take_all(browser, settings, theme, places)
        review_pictures.take(browser)
        browser.close()
    return 0


def _newest_job(settings: LocalSettings) -> dict[str, str]:
    """The newest job that succeeded, its file, and its last step with a checkpoint."""
    key = settings.admin_key_file.read_text().strip()
    with httpx.Client(
        base_url=f"{settings.gateway_url}/v1/fine_tuning", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        jobs = client.get("/jobs?limit=20").json()["data"]
        job = next(job for job in jobs if job["status"] == "succeeded")
        last, *_ = client.get(f"/jobs/{job['id']}/checkpoints").json()["data"]
    return {"job": job["id"], "file": job["training_file"], "step": str(last["step_number"])}


def _take_all(browser: Browser, settings: LocalSettings, theme: str, places: Mapping[str, str]) -> None:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB", color_scheme="dark" if theme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(stack.sign_in_link(settings))
    # A sign-in link is a form, so that a program that looks at links does not use it up.
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).first.click()
    page.wait_for_url("**/console/**")
    for name, path in PAGES.items():
        answer = page.goto(settings.gateway_url + path.format(**places))
        if answer is None or answer.status != 200:
            print(f"{name}: {urlsplit(page.url).path} answered {answer and answer.status}; no picture")
            continue
        # Live pages keep a connection open, so the network is never idle.
        page.wait_for_timeout(SETTLED_MS)
        save(page, f"{name}{'-dark' if theme == 'dark' else ''}")
    context.close()


if __name__ == "__main__":
    raise SystemExit(main())

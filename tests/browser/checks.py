"""What every page must keep: accessible, no sideways scroll, small, in both languages and themes."""

import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, Response

from tests.browser.chromium import axe

PAGE_BYTES, CURVE_PAGE_BYTES = 60_000, 90_000
SCRIPT_BYTES = 150_000
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_TURNS = 3


def check_page(page: Page, widths: Sequence[int] = (1024, 1280)) -> None:
    """The page that is open now, in both themes: nothing serious by axe, no sideways scroll."""
    # A followed link has changed the URL before its document is there.
    page.wait_for_load_state("load")
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        assert_accessible(page)
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        assert_no_sideways_scroll(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("delete document.documentElement.dataset.theme")


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing that is serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe())
    found: Any = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", _AXE_TAGS)
    serious = [
        f"{rule['id']}: {rule['help']}\n" + "\n".join(f"    {node['html'][:200]}" for node in rule["nodes"][:5])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert not serious, f"{page.url}\n" + "\n".join(serious)


def assert_no_sideways_scroll(page: Page) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than the window: {page.evaluate(_WIDE)}"


def assert_reached_by_keyboard(page: Page) -> None:
    """The tab key reaches everything that can be pressed or filled in, and one sees where it is."""
    for _ in range(_TURNS):
        missed, unseen = _pressed_through(page)
        # A live part of the page may have been replaced meanwhile, with what was looked for in it.
        if not missed and not unseen:
            return
    assert not missed, f"{page.url}: the tab key does not reach\n" + "\n".join(missed)
    assert not unseen, f"{page.url}: nothing shows that the focus is on\n" + "\n".join(unseen)


def _pressed_through(page: Page) -> tuple[list[str], list[str]]:
    """What the tab key does not reach on its way once through the page, and what does not show the focus."""
    wanted: dict[str, str] = page.evaluate(_PRESSABLE)
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
    reached: dict[str, bool] = page.evaluate("window.reached")
    missed = [html for number, html in wanted.items() if number not in reached]
    return missed, [html for number, html in wanted.items() if not reached.get(number, True)]


# The pointer's shape says what a mouse can press. Each such element must take the focus, or lie in one that does.
# The tab key reaches one radio button of a group; the arrow keys reach the others.
_PRESSABLE = """() => {
  document.querySelectorAll('[data-stop]').forEach((element) => delete element.dataset.stop);
  const stops = 'a[href], button, input, select, textarea, summary, [tabindex]';
  const radios = new Set();
  const wanted = {};
  document.querySelectorAll('body *').forEach((element) => {
    const pressed = element.matches(stops) || getComputedStyle(element).cursor === 'pointer';
    if (!pressed || !element.checkVisibility({visibilityProperty: true})) return;
    if (element.closest('dialog:not([open])')) return;
    const target = element.closest('label')?.control ?? element.closest(stops) ?? element;
    if (target.disabled || target.type === 'hidden' || target.type === 'file' && element !== target) return;
    if (target.type === 'radio') {
      if (radios.has(target.name)) return;
      radios.add(target.name);
      document.querySelectorAll('input[type=radio]').forEach((one) => {
        if (one.name === target.name) one.dataset.stop = `radio ${target.name}`;
      });
      wanted[`radio ${target.name}`] = target.outerHTML.slice(0, 160);
      return;
    }
    target.dataset.stop ??= `${Object.keys(wanted).length}`;
    wanted[target.dataset.stop] = target.outerHTML.slice(0, 160);
  });
  window.reached = {};
  document.addEventListener('focusin', ({target}) => {
    const shown = [target, target.closest('label'), target.parentElement].filter(Boolean).some((one) => {
      const style = getComputedStyle(one);
      return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    });
    if (target.dataset.stop) window.reached[target.dataset.stop] = shown;
  });
  document.activeElement?.blur();
  return wanted;
}"""

_WIDE = """() => [...document.querySelectorAll('main *')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""


@contextmanager
def first_screen(page: Page) -> Iterator[dict[str, int]]:
    """Counts the bytes that the browser gets: `sent` as they cross the wire, `script` unpacked."""
    counted = {"sent": 0, "script": 0}
    responses: list[Response] = []

    def keep(response: Response) -> None:
        responses.append(response)

    page.on("response", keep)
    yield counted
    # Not until the network is idle: a page with a stream never is.
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    page.remove_listener("response", keep)
    for response in responses:
        if response.request.resource_type in ("document", "script", "stylesheet", "image", "font"):
            body = response.body()
            zipped = response.headers.get("content-encoding") == "gzip"
            counted["sent"] += len(gzip.compress(body, 6)) if zipped else len(body)
            counted["script"] += len(body) if response.request.resource_type == "script" else 0


def english_left(page: Page, allowed: Sequence[str] = ()) -> list[str]:
    """Visible text of a Chinese page that is written in Latin letters alone, but for names that are `allowed`."""
    texts: list[str] = page.evaluate(_TEXTS)
    longest_first = sorted(("Assay", "English", *allowed), key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, longest_first)))
    return [text for text in texts if not re.search("[一-鿿]", text) and re.search("[A-Za-z]{3,}", known.sub("", text))]


_TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    // `words` are those of users and of their data.
    if (element.closest('script, pre, code, [lang=en], .id, .mono, .words, kbd')) continue;
    if (element.checkVisibility()) found.push(walker.currentNode.textContent.trim());
  }
  return found.filter(Boolean);
}"""

"""What no page may do: write errors to the console, break the CSP, ask another host."""

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request


class Watched:
    """Collects what goes wrong in a tab. A test that provokes an error names a part of it in `expected`."""

    def __init__(self, tab: Page) -> None:
        self.found: list[str] = []
        self._tab = tab
        tab.on("console", self._on_console)
        tab.on("pageerror", lambda error: self.found.append(f"script failed: {error}"))
        tab.on("request", self._on_request)

    def expect_nothing(self) -> None:
        assert not self.found, "\n".join(self.found)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A refused request and a lost stream are also written to the console; tests look at what the page says.
        expected = ("Failed to load resource", "htmx:sse:error")
        if message.type == "error" and not any(each in message.text for each in expected):
            self.found.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if host not in (None, "127.0.0.1"):
            self.found.append(f"asked another host: {request.url}")

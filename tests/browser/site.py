"""Serves pages to the test's browser: an application in a thread, with sessions in memory instead of NATS."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from playwright.sync_api import BrowserContext

from shared.pages.static_files import static_route
from shared.security import Keyring, Scope
from shared.sessions import COOKIE, Sessions, SessionsUnreachable
from shared.web import problem_details
from tests.ports import free_port

T = TypeVar("T")


@dataclass
class MemorySessionStore:
    """What the bucket does, for one process. `away` makes it answer like a NATS that is gone."""

    records: dict[str, bytes] = field(default_factory=dict[str, bytes])
    away: bool = False

    async def get(self, name: str) -> bytes | None:
        self._answer()
        return self.records.get(name)

    async def create(self, name: str, content: bytes) -> None:
        self._answer()
        self.records[name] = content

    async def take(self, name: str) -> bytes | None:
        self._answer()
        return self.records.pop(name, None)

    async def purge(self, pattern: str) -> None:
        self._answer()
        kept = pattern.replace(">", "*")
        self.records = {name: content for name, content in self.records.items() if not fnmatchcase(name, kept)}

    def _answer(self) -> None:
        if self.away:
            raise SessionsUnreachable("NATS does not answer")


Provider = Callable[[Keyring, MemorySessionStore], Mapping[str, Any]]


@dataclass
class Site:
    """A running site. `sign_in` gives a browser a session with a new key, `sign_in_with` with a known one."""

    url: str
    keyring: Keyring
    store: MemorySessionStore
    sessions: Sessions

    def sign_in(self, context: BrowserContext, *scopes: Scope, name: str = "Ana Ruiz") -> str:
        """Returns the key's secret."""
        secret = self.keyring.create(name, scopes)
        self.sign_in_with(context, secret)
        return secret

    def sign_in_with(self, context: BrowserContext, secret: str) -> None:
        cookie = at_once(self.sessions.start(self.keyring.authenticate(f"Bearer {secret}")))
        context.add_cookies([{"name": COOKIE, "value": cookie, "url": self.url, "sameSite": "Strict"}])


@contextmanager
def serving(routes: Sequence[Any], folder: Path, provide: Provider | None = None, **options: Any) -> Iterator[Site]:
    """A site with these routes and the static files, until the block ends.

    `provide` makes the use cases that are injected by name, from the site's keys and sessions.
    """
    keyring = Keyring(folder / "keys.json")
    store = MemorySessionStore()
    sessions = Sessions(store, keyring)
    injected = provide(keyring, store) if provide else {}
    dependencies = {name: Provide(_give(value), sync_to_thread=False) for name, value in injected.items()}
    dependencies |= options.pop("dependencies", {})
    # The plugin adds its handlers to this dictionary, which a service's own application uses too.
    options["exception_handlers"] = dict(options.get("exception_handlers", {}))
    application = Litestar(
        [*routes, static_route()],
        state=State({"keyring": keyring, "sessions": sessions}),
        dependencies=dependencies,
        plugins=[problem_details.plugin(handled=())],
        **options,
    )
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.02)
        yield Site(f"http://127.0.0.1:{port}", keyring, store, sessions)
    finally:
        server.should_exit = True
        thread.join()


def _give(value: object) -> Callable[[], Any]:
    return lambda: value


def at_once(call: Any) -> Any:
    """The result of a coroutine that waits for nothing, without a loop: Playwright's own loop runs already."""
    try:
        call.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def in_another_loop(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that may wait: in a thread, because Playwright's own loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()

"""What suites need from the outside."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from services.evaluator.suites.domain.suite import Suite
from services.evaluator.suites.domain.task import Table
from shared.store import Entity


class SuiteRecord(Entity):
    """A stored suite; `id` is its name."""

    suite: Suite


class SuiteStore(Protocol):
    """Stores the newest revision of each suite that was put by HTTP."""

    async def get(self, name: str) -> Suite | None: ...

    async def names(self) -> list[str]: ...

    async def append(self, name: str, revise: Callable[[Suite | None], Suite | None]) -> Suite:
        """Store the revision that `revise` makes of the newest one, atomically; None for no change."""
        ...


class SuiteFiles(Protocol):
    """Suites and their tables in folders of the server. The methods raise `CannotBeScored` for broken files."""

    def names(self) -> list[str]: ...

    def get(self, name: str) -> Suite | None: ...

    def table(self, name: str, table: Table) -> bytes: ...

    def harness(self, name: str, raw: Mapping[str, Any]) -> dict[str, Any]: ...

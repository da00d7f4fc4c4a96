"""What suites need from the outside."""

from collections.abc import Mapping
from typing import Any, Protocol

from services.evaluator.suites.domain.suite import Suite
from services.evaluator.suites.domain.task import Table, Task


class SuiteFiles(Protocol):
    """Suites and their tables in folders of the server. The methods raise `CannotBeScored` for broken files."""

    def names(self) -> list[str]: ...

    def get(self, name: str) -> Suite | None: ...

    def table(self, name: str, table: Table) -> bytes: ...

    def harness(self, name: str, raw: Mapping[str, Any]) -> dict[str, Any]: ...


class TaskCheck(Protocol):
    """Checks a task whose tables are inline rows or artifacts."""

    async def check(self, task: Task) -> None:
        """Raise `CannotBeScored` for an unknown metric, an unreadable table, a bad row or a bad template."""
        ...

    def check_metrics(self, task: Task) -> None:
        """Raise `CannotBeScored` for an unknown metric."""
        ...

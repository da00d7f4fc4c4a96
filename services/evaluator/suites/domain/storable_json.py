"""JSON that a database can keep: what it cannot is refused where it comes in."""

from collections.abc import Iterable
from typing import Any, cast

from services.evaluator.suites.domain.suite_errors import SuiteRefused

MAX_DEPTH = 50


def require_storable(task: dict[str, Any]) -> None:
    """Raise `SuiteRefused` for deep nesting, numbers over 64 bits and names with NUL."""
    level: list[Any] = [task]
    for _ in range(MAX_DEPTH):
        if not (level := [child for value in level for child in _children(value)]):
            return
    raise SuiteRefused(f"nested deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise SuiteRefused(f"the number {str(value)[:20]}… does not fit into 64 bits")
    if isinstance(value, dict):
        known = cast(dict[str, Any], value)
        if name := next((name for name in known if "\0" in str(name)), None):
            raise SuiteRefused(f"the name {name!r:.100} holds the character NUL")
        return known.values()
    return cast(list[Any], value) if isinstance(value, (list, tuple)) else ()

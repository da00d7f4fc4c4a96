"""The time of the fact that is being handled, so that what is stored has the same time after a replay."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_at: ContextVar[float | None] = ContextVar("fact_time", default=None)


def fact_time() -> float:
    """When the event that this task handles was published, in Unix seconds; the present time outside handlers."""
    at = _at.get()
    return time.time() if at is None else at


@contextmanager
def handling_fact_of(at: float | None) -> Generator[None]:
    """`fact_time` returns `at` in this context; None changes nothing."""
    token = _at.set(_at.get() if at is None else at)
    try:
        yield
    finally:
        _at.reset(token)

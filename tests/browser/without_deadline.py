"""Templates of suites without their limit of time, for pages that are served by a thread."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from services.evaluator.suites.adapters import prompt_template


@contextmanager
def without_deadline() -> Iterator[None]:
    """The limit needs the main thread. It holds again at the end: other tests of the process have endless templates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prompt_template, "_deadline", lambda _limit_s: nullcontext())
        yield

"""Which tests share a process, and in which order they begin."""

from types import SimpleNamespace
from typing import Any, cast

from tests.scheduling import SharedProcessScheduling, place

FILES = (
    "tests/browser/test_console.py",
    "tests/e2e/test_the_line.py",
    "tests/integration/test_evaluator.py",
    "tests/integration/test_gateway_serving.py",
    "tests/integration/test_training_jobs.py",
    "tests/integration/test_training_service.py",
)


def test_tests_with_an_engine_begin_first_and_the_end_to_end_tests_come_last() -> None:
    items = [cast(Any, SimpleNamespace(nodeid=f"{file}::test_x")) for file in FILES]
    order = [item.nodeid for item in sorted(items, key=place)]
    assert [FILES.index(nodeid.split("::")[0]) for nodeid in order] == [2, 3, 4, 5, 0, 1]
    scheduling = SharedProcessScheduling.__new__(SharedProcessScheduling)
    scopes = [scheduling._split_scope(nodeid) for nodeid in order]
    assert scopes == ["engine"] * 2 + ["training"] * 2 + [FILES[0], "line"]

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


def test_tests_with_an_engine_begin_first_and_the_end_to_end_tests_follow_them_in_their_process() -> None:
    items = [cast(Any, SimpleNamespace(nodeid=f"{file}::test_x")) for file in FILES]
    order = [item.nodeid for item in sorted(items, key=place)]
    assert [FILES.index(nodeid.split("::")[0]) for nodeid in order] == [2, 3, 1, 4, 5, 0]
    scheduling = SharedProcessScheduling.__new__(SharedProcessScheduling)
    scopes = [scheduling._split_scope(nodeid) for nodeid in order]
    assert scopes == ["engine"] * 3 + ["training"] * 2 + [FILES[0]]

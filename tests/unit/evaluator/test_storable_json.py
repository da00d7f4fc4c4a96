"""Suites are refused with values that no database keeps."""

import json
from typing import Any

import pytest

from services.evaluator.suites.domain.storable_json import require_storable
from services.evaluator.suites.domain.suite_errors import SuiteRefused


def task(data: Any) -> dict[str, Any]:
    return {"name": "faq", "metrics": ["exact_match"], "data": data}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"rows": [{"question": "q", "answer": 2**64}]}, "does not fit into 64 bits"),
        ({"rows": [{"question": "q", "answer": -(10**30)}]}, "does not fit into 64 bits"),
        ({"rows": [{"question": "q", "a\0": "a"}]}, "holds the character NUL"),
        (json.loads("[" * 300 + "]" * 300), "nested deeper than 50 levels"),
    ],
)
def test_what_no_database_keeps_is_refused(data: Any, reason: str) -> None:
    with pytest.raises(SuiteRefused, match=reason):
        require_storable(task(data))


def test_the_largest_numbers_and_usual_nesting_are_taken() -> None:
    rows = [{"question": "q\0", "answer": 2**63 - 1, "least": -(2**63), "nested": json.loads("[" * 40 + "]" * 40)}]
    require_storable(task({"rows": rows}))

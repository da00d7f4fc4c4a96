"""A page as OpenAI's list object."""

from collections.abc import Callable
from typing import Any, TypeVar

from shared.store import Page

T = TypeVar("T")


def listing(page: Page[T], shown: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    data = [shown(item) for item in page.items]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"object": "list", "data": data, "has_more": page.has_more, **ends}

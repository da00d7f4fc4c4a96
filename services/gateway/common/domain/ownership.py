"""Ownership of resources: a list shows only what the key owns."""

from typing import Any

from shared.security import Key


def within_reach(key: Key) -> dict[str, Any]:
    """The fields by which a list is cut down to what this key may see."""
    return {} if key.allows("admin") else {"owner": key.id}

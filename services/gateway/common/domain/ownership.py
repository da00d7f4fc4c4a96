"""Ownership of resources: a list shows only what the key owns."""

from typing import Any

from shared.security import Key


def within_reach(key: Key) -> dict[str, Any]:
    """The filter that limits a list to resources of this person."""
    return {} if key.allows("admin") else {"owner": key.person}

"""Whose a file or a job is: the key's that brought it; administrators see all."""

from shared.security import Key


def owns(key: Key, owner: str) -> bool:
    """Whether this key may see and change what belongs to the key with the id `owner`."""
    return key.allows("admin") or key.id == owner


def within_reach(key: Key) -> dict[str, str]:
    """The fields by which a list is cut down to what this key may see."""
    return {} if key.allows("admin") else {"owner": key.id}

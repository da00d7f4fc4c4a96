"""Ids, and digests of requests."""

import hashlib
import json
import secrets
from typing import Any
from uuid import NAMESPACE_URL, uuid5

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:assay:gateway")


def natural_id(prefix: str, *parts: object) -> str:
    """An id that is the same for the same parts."""
    return f"{prefix}-{uuid5(_NAMESPACE, '/'.join(map(str, parts))).hex[:24]}"


def new_id(prefix: str, caller: str, idempotency_key: str | None) -> str:
    """A new id, or the same one again for a caller that repeats its `Idempotency-Key`."""
    if idempotency_key:
        return natural_id(prefix, caller, idempotency_key)
    return f"{prefix}-{secrets.token_hex(12)}"


def digest(body: Any) -> str:
    """Tells whether two requests are the same."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

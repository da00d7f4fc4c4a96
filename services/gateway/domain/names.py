"""Ids, and the names that one model goes by: the public one, and the one under which an engine holds its weights."""

import hashlib
import json
import re
import secrets
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.events import Candidate

ORGANIZATION = "assay"
LOADED_PREFIX = "assay-"
_CHECKPOINT = re.compile(r":ckpt-step-\d+$")
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


def fine_tuned_model(candidate: Candidate) -> str:
    """The model's name: its checkpoint's without the step."""
    return _CHECKPOINT.sub("", candidate.model_name)


def loaded_name(candidate: Candidate) -> str:
    """The immutable name under which engines hold these weights; its prefix says that the gateway owns it."""
    return f"{LOADED_PREFIX}{candidate.version}"

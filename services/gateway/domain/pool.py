"""Pools: which base model is served by which engines, as an operator wants it."""

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel

from services.gateway.domain.refusals import BadRequest

MAX_REPLICAS = 256
_BASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}")
# The host's addresses, each one a replica, in place of the host itself.
_DISCOVERED = "dns+http"


class Pool(BaseModel):
    """One base model's engines. `id` is the base model's name, which is also its name in vLLM."""

    id: str
    at: float
    replicas: list[str]
    """URLs of engines; `dns+http://host:port` stands for every address of that host."""
    mode: Literal["adapters"] = "adapters"
    seed: list[str] | None = None
    """What the settings said when they were last followed."""
    removed: bool = False


def seeded(pool: Pool, seed: Sequence[str], now: float) -> Pool | None:
    """The pool as changed settings want it; None where they are the same, and what was said since holds."""
    if pool.seed == list(seed):
        return None
    return pool.model_copy(update={"replicas": list(seed), "seed": list(seed), "removed": False, "at": now})


def check_base(base: str) -> str:
    """A base model's name; raises `BadRequest`."""
    if not _BASE.fullmatch(base) or ".." in base:
        raise BadRequest(f"{base[:100]!r} is no name of a base model.", param="base", code="invalid_value")
    return base


def check_url(url: str) -> str:
    """An engine's URL without a slash at its end; raises `BadRequest` for what is more than scheme, host and port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    discovered = parts.scheme == _DISCOVERED
    plain = f"{parts.scheme}://{parts.netloc}"
    if (
        parts.scheme not in ("http", "https", _DISCOVERED)
        or not parts.hostname
        or "@" in parts.netloc
        or url.removesuffix("/") != plain
        or (discovered and port is None)
    ):
        message = f"{url[:200]!r} is no engine: wanted is http(s)://host[:port], or dns+http://host:port."
        raise BadRequest(message, param="replicas", code="invalid_value")
    return plain


def to_discover(url: str) -> tuple[str, int] | None:
    """Host and port of an entry that stands for all of a host's addresses."""
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or 0) if parts.scheme == _DISCOVERED else None


def address_url(address: str, port: int) -> str:
    """The URL of a discovered replica."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"

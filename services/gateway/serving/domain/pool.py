"""A pool: a base model on one or more engines, as an operator configured it.

A pool is named after its base model and serves adapters, many versions at once. One that is named `base@alias` is for
one stable name alone: its engines' own weights are replaced by those of the version that the name means.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel

from services.gateway.common.domain.errors import BadRequest

Mode = Literal["adapters", "weights"]
MAX_REPLICAS = 256
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}(@[A-Za-z0-9][A-Za-z0-9._-]{0,63})?")
# Stands for every address of a host, each one a replica.
_DISCOVERED = "dns+http"


class Pool(BaseModel):
    """The engines of one base model. `id` is the model's name in vLLM, and optionally `@` and a stable name."""

    id: str
    at: float
    replicas: list[str]
    """URLs of engines; `dns+http://host:port` stands for every address of that host."""
    seed: list[str] | None = None
    """The replicas in the settings when they were last applied."""
    removed: bool = False
    context_length: int | None = None
    """Tokens of prompt and answer together that the engines take; None until a replica has answered."""

    @property
    def mode(self) -> Mode:
        return "weights" if parts_of(self.id)[1] else "adapters"


def parts_of(pool_id: str) -> tuple[str, str | None]:
    """The base model, and the stable name that the pool is for."""
    base, _, alias = pool_id.partition("@")
    return base, alias or None


def seeded(pool: Pool, seed: Sequence[str], now: float) -> Pool | None:
    """The pool after the settings changed; None if they did not, so that later changes by the API hold."""
    if pool.seed == list(seed):
        return None
    return pool.model_copy(
        update={"replicas": list(seed), "seed": list(seed), "removed": False, "at": max(now, pool.at + 1e-6)}
    )


def check_id(pool_id: str) -> str:
    """Returns a valid pool id: a base model's name, optionally `@` and a stable name; raises `BadRequest`."""
    if not _POOL.fullmatch(pool_id) or ".." in pool_id:
        message = f"{pool_id[:100]!r} is not a valid pool name; use a base model's name, or <base model>@<stable name>."
        raise BadRequest(message, param="base", code="invalid_value")
    return pool_id


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
        message = f"{url[:200]!r} is not the URL of an engine; send http(s)://host[:port] or dns+http://host:port."
        raise BadRequest(message, param="replicas", code="invalid_value")
    return plain


def check_replicas(urls: Sequence[str], taken: Mapping[str, str]) -> list[str]:
    """Each URL once and without a slash at its end; `taken` names the pools of other engines. Raises `BadRequest`."""
    if len(urls) > MAX_REPLICAS:
        raise BadRequest(f"A pool has at most {MAX_REPLICAS} replicas.", param="replicas", code="invalid_value")
    replicas = list(dict.fromkeys(map(check_url, urls)))
    if used := sorted(taken.keys() & set(replicas)):
        message = f"{used[0]} belongs to the pool {taken[used[0]]!r}; remove it there first."
        raise BadRequest(message, param="replicas", code="engine_taken")
    return replicas


def to_discover(url: str) -> tuple[str, int] | None:
    """Host and port of an entry that stands for all of a host's addresses."""
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or 0) if parts.scheme == _DISCOVERED else None


def address_url(address: str, port: int) -> str:
    """The URL of a discovered replica."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"

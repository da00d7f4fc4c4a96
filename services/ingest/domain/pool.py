"""How many tokens the engines of a base model take."""

from collections.abc import Iterable

from pydantic import BaseModel


class Pool(BaseModel):
    """A pool of engines; `id` is its name, `at` when it changed, in Unix seconds."""

    id: str
    base_model: str
    context: int | None = None
    removed: bool = False
    at: float = 0.0


def contexts(pools: Iterable[Pool]) -> dict[str, int]:
    """The tokens that every engine of a base model takes, by base model, where they are known."""
    found: dict[str, int] = {}
    for pool in pools:
        if pool.context is not None and not pool.removed:
            found[pool.base_model] = min(pool.context, found.get(pool.base_model, pool.context))
    return found

"""What the engines that serve a base model can take."""

from collections.abc import Iterable

from shared.events import PoolChanged, Value


class PoolLimits(Value):
    """The limits of one pool; `id` is its name. None where they are not known."""

    id: str
    base_model: str
    context: int | None = None
    max_lora_rank: int | None = None
    removed: bool = False
    at: float = 0.0
    """When it changed, in Unix seconds."""

    @classmethod
    def of(cls, event: PoolChanged) -> "PoolLimits":
        return cls(
            id=event.pool,
            base_model=event.base_model,
            context=event.context_length,
            max_lora_rank=event.max_lora_rank,
            removed=event.removed,
            at=event.at,
        )


class EngineLimits(Value):
    """The tokens that a prompt and its answer can have, and the highest LoRA rank; None where nothing is known."""

    context: int | None = None
    max_lora_rank: int | None = None


def engine_limits(pools: Iterable[PoolLimits], base_model: str) -> EngineLimits:
    """The limits of the pool that can take least."""
    serving = [pool for pool in pools if pool.base_model == base_model and not pool.removed]
    return EngineLimits(
        context=min((pool.context for pool in serving if pool.context is not None), default=None),
        max_lora_rank=min((pool.max_lora_rank for pool in serving if pool.max_lora_rank is not None), default=None),
    )

"""General rows mixed in among those of the task, so that the model does not forget what it could."""

import random
from collections.abc import Sequence
from typing import TypeVar

from services.trainer.domain.errors import PlanRefused
from shared.events import Hyperparameters

_SHARE = 0.1
Row = TypeVar("Row")


def general_rows(asked: Hyperparameters, rows: int, reasons: dict[str, str]) -> int:
    """How many general rows join `rows` of the task, so that they are the share of all that was asked for.

    Raises `PlanRefused` for a share of nothing.
    """
    if asked.general_file is None:
        if asked.general_share is not None:
            raise PlanRefused("invalid_hyperparameter", "general_share is a share of no general_file", "general_share")
        return 0
    share = asked.general_share or _SHARE
    count = max(1, round(rows * share / (1 - share)))
    if asked.general_share is None:
        reasons["general_share"] = f"{share:g}: {count} general rows beside {rows} keep what the base model can do"
    return count


def drawn(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` rows, each as often as any other but for one; the same for the same seed."""
    times, rest = divmod(count, len(rows)) if rows else (0, 0)
    return [*rows] * times + random.Random(f"{seed}/general").sample(rows, rest)  # noqa: S311

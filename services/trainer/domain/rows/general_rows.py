"""General rows, mixed into the task's rows so that the model keeps its general abilities."""

import random
from collections.abc import Sequence
from typing import TypeVar

from services.trainer.domain.errors import PlanRefused
from shared.events import Hyperparameters

_SHARE = 0.1
Row = TypeVar("Row")


def general_row_count(asked: Hyperparameters, rows: int, reasons: dict[str, str]) -> int:
    """How many general rows to add to `rows` rows of the task so that they make up the requested share of all rows.

    Raises `PlanRefused` if a share is requested without a file.
    """
    if asked.general_file is None:
        if asked.general_share is not None:
            raise PlanRefused("invalid_hyperparameter", "general_share needs a general_file", "general_share")
        return 0
    share = asked.general_share or _SHARE
    count = max(1, round(rows * share / (1 - share)))
    if asked.general_share is None:
        reasons["general_share"] = f"{share:g}: {count:,} general rows beside {rows:,} keep what the base model can do"
    return count


def sample_rows(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` rows, deterministic for a seed; how often two rows appear differs by at most one."""
    times, rest = divmod(count, len(rows)) if rows else (0, 0)
    return [*rows] * times + random.Random(f"{seed}/general").sample(rows, rest)  # noqa: S311

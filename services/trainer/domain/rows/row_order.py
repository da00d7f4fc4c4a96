"""Row order: which row a job reads at which position."""

import random
from collections.abc import Sequence

# Each epoch is sorted by length within groups of this many batches: little padding, but still shuffled.
_BATCHES_PER_GROUP = 16


def row_order(lengths: Sequence[int], total_steps: int, batch_size: int, seed: int) -> list[int]:
    """The row at each position of the whole job: `total_steps * batch_size` indices into `lengths` (tokens per row).

    The order is planned before training and does not depend on random state, so a resumed job reads the same rows as
    an uninterrupted one. Each epoch contains each row once; rows of similar length share a batch.
    """
    wanted = total_steps * batch_size
    order: list[int] = []
    epoch = 0
    while len(order) < wanted:
        order += _epoch_order(lengths, batch_size, random.Random(f"{seed}/{epoch}"))  # noqa: S311
        epoch += 1
    return order[:wanted]


def _epoch_order(lengths: Sequence[int], batch_size: int, rng: random.Random) -> list[int]:
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    group = batch_size * _BATCHES_PER_GROUP
    batches: list[list[int]] = []
    for start in range(0, len(rows), group):
        similar = sorted(rows[start : start + group], key=lambda row: lengths[row])
        batches += [similar[i : i + batch_size] for i in range(0, len(similar), batch_size)]
    rng.shuffle(batches)
    return [row for batch in batches for row in batch]

"""Numbers of each row of a dataset, as one file of arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.ingest.splits.assignment import Earlier

Numbers = npt.NDArray[Any]
DUPLICATE, NEAR, CONTRADICTION, IN_SUITE = 1, 2, 4, 8
FLAGS = {"duplicate": DUPLICATE, "near_duplicate": NEAR, "contradiction": CONTRADICTION, "in_suite": IN_SUITE}
DUPLICATE_PART = 4


@dataclass(frozen=True)
class RowIndex:
    """One entry a row: its line in the file, split, flags, the end of its bytes, digests of row and question."""

    places: Numbers
    parts: Numbers
    flags: Numbers
    ends: Numbers
    rows: Numbers
    prompts: Numbers

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "RowIndex":
        """Raises `ValueError` for a file that is not one."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})

    def earlier(self) -> Earlier:
        """The part of each question, for the next version."""
        used = self.parts < DUPLICATE_PART - 1
        prompts, first = np.unique(self.prompts[used], return_index=True)
        return Earlier(prompts, self.parts[used][first])

    def difference(self, other: "RowIndex") -> tuple[Numbers, Numbers]:
        """Rows that only this one has, and rows that only the other has; duplicates are passed over."""
        mine, others = self._kept(), other._kept()
        added = mine[~np.isin(self.rows[mine, 0], other.rows[others, 0])]
        removed = others[~np.isin(other.rows[others, 0], self.rows[mine, 0])]
        return added, removed

    def _kept(self) -> Numbers:
        return np.flatnonzero(self.parts != DUPLICATE_PART)

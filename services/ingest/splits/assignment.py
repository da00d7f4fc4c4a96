"""Assigns rows to train, validation and test: seeded, stable when rows are added, near duplicates in one split."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from services.ingest.splits.clusters import Edges, large_clusters

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, 3
NAMES = ("train", "validation", "test", "left_out")
_AT_ONCE = 1_000_000
Numbers = npt.NDArray[Any]
Parts = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shares:
    """How much of the rows validation and test get, as fractions."""

    validation: float = 0.1
    test: float = 0.1


@dataclass(frozen=True)
class Earlier:
    """The parts that questions have in an earlier version; `prompts` is sorted."""

    prompts: Numbers
    parts: Parts


@dataclass(frozen=True)
class Assignment:
    """One of the numbers above for each row, and the sizes of clusters that were too large to keep together."""

    parts: Parts
    large_clusters: tuple[int, ...] = ()


class Splitter:
    """Assigns questions, which are digests of normalized prompts; rows with one question share its part."""

    def __init__(self, prompts: Numbers, seed: int, shares: Shares, earlier: Earlier | None = None) -> None:
        self._seed, self._shares = seed, shares
        self._keys, self._first, self._question_of = distinct(prompts)
        self._parts = by_digest(self._keys, seed, shares)
        self._fixed = np.zeros(len(self._keys), dtype=bool)
        if earlier is not None and len(earlier.prompts):
            at = np.minimum(np.searchsorted(earlier.prompts, self._keys), len(earlier.prompts) - 1)
            self._fixed = earlier.prompts[at] == self._keys
            self._parts[self._fixed] = earlier.parts[at][self._fixed]

    def assign(self, near: Iterable[tuple[int, int]], groups: Numbers | None = None) -> Assignment:
        """`near` are pairs of near rows, `groups` digests of the column that groups rows.

        A row goes where a digest of the seed and its question, or its group, says. One that is near to earlier rows
        goes with them; one that is near to two parts is left out, so that earlier rows never move.
        """
        edges = {(int(self._question_of[a]), int(self._question_of[b])) for a, b in near}
        sizes = np.bincount(self._question_of, minlength=len(self._keys))
        smallest = min([share for share in (self._shares.validation, self._shares.test) if share] or [1.0])
        large = large_clusters(edges, sizes, max(20.0, smallest * len(self._question_of)))
        kept = [(a, b) for a, b in edges if a != b and a not in large.members]
        if groups is not None:
            return Assignment(self._by_group(groups, kept), large.sizes)
        self._follow_near(kept)
        linked = {question for edge in kept for question in edge}
        fill_empty(self._parts, self._keys, self._seed, self._shares, linked)
        return Assignment(self._parts[self._question_of], large.sizes)

    def _follow_near(self, edges: Edges) -> None:
        """In the order of first appearance, each question takes the part of the earlier ones near to it."""
        before: dict[int, list[int]] = {}
        for a, b in edges:
            old, new = (a, b) if self._first[a] < self._first[b] else (b, a)
            before.setdefault(new, []).append(old)
        for question in sorted(before, key=lambda one: int(self._first[one])):
            parts = {int(self._parts[one]) for one in before[question]} - {LEFT_OUT}
            if parts and not self._fixed[question]:
                self._parts[question] = parts.pop() if len(parts) == 1 else LEFT_OUT

    def _by_group(self, groups: Numbers, edges: Edges) -> Parts:
        """A group has one part; a row whose question, or one near to it, stands in another part is left out."""
        keys, group_of = np.unique(groups, return_inverse=True)
        wanted = by_digest(keys, self._seed, self._shares)
        fill_empty(wanted, keys, self._seed, self._shares, set())
        near: dict[int, set[int]] = {}
        for a, b in edges:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
        taken: dict[int, int] = {}
        parts = np.full(len(groups), LEFT_OUT, dtype=np.uint8)
        for row, (question, group) in enumerate(zip(self._question_of.tolist(), group_of.tolist(), strict=True)):
            part = int(wanted[group])
            if {taken[one] for one in (question, *near.get(question, ())) if one in taken} <= {part}:
                parts[row] = taken[question] = part
        return parts


def distinct(numbers: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The distinct numbers in order, the place where each is first, and for each number its place among these.

    What `np.unique` gives, in two thirds of the memory: places take four bytes.
    """
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    new = np.ones(len(numbers), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    keys, first = ordered[new], order[new].astype(np.int32)
    del ordered
    number_of = np.empty(len(numbers), dtype=np.int32)
    number_of[order] = np.cumsum(new, dtype=np.int32) - 1
    return keys, first, number_of


def draws(keys: Numbers, seed: int) -> Numbers:
    """A number from 0 to 1 for each key, by a digest with the seed (SplitMix64's finalizer)."""
    salt = np.frombuffer(blake2b(f"split/{seed}".encode(), digest_size=8).digest(), np.uint64)[0]
    mixed = keys.astype(np.uint64) ^ salt
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53


def by_digest(keys: Numbers, seed: int, shares: Shares) -> Parts:
    """The part of each key by its draw alone."""
    parts = np.full(len(keys), TRAIN, dtype=np.uint8)
    for start in range(0, len(keys), _AT_ONCE):
        drawn = draws(keys[start : start + _AT_ONCE], seed)
        block = parts[start : start + _AT_ONCE]
        block[drawn < shares.test + shares.validation] = VALIDATION
        block[drawn < shares.test] = TEST
    return parts


def fill_empty(parts: Parts, keys: Numbers, seed: int, shares: Shares, linked: set[int]) -> None:
    """In a small file a part may be empty: it gets the question with the smallest draw that is near to no other."""
    wanted = [part for part, share in ((TEST, shares.test), (VALIDATION, shares.validation)) if share]
    if all((parts == part).any() for part in (*wanted, TRAIN)):
        return
    order = [int(one) for one in np.argsort(draws(keys, seed), kind="stable")[:64]]
    for part in (*wanted, TRAIN):
        if not (parts == part).any():
            larger = [one for one in order if one not in linked and (parts == parts[one]).sum() > 1]
            if larger:
                parts[larger[0]] = part

"""Clusters of near duplicates."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Edges = Collection[tuple[int, int]]


@dataclass(frozen=True)
class LargeClusters:
    """Questions of clusters that are too large, and how many rows each cluster has."""

    members: frozenset[int]
    sizes: tuple[int, ...]


def large_clusters(edges: Edges, rows_of: npt.NDArray[Any], limit: float) -> LargeClusters:
    """Clusters with more than `limit` rows, found by union-find."""
    parents: dict[int, int] = {}

    def root(one: int) -> int:
        while parents.setdefault(one, one) != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        return one

    for a, b in edges:
        if a != b:
            parents[root(a)] = root(b)
    clusters: dict[int, list[int]] = {}
    for one in parents:
        clusters.setdefault(root(one), []).append(one)
    large = {top: rows for top, members in clusters.items() if (rows := int(rows_of[members].sum())) > limit}
    members = frozenset(one for top in large for one in clusters[top])
    return LargeClusters(members, tuple(sorted(large.values(), reverse=True)[:100]))

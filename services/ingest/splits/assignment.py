"""Which rows train, validate and test: seeded, the same whatever rows are added, and no near twin on both sides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, 3
NAMES = ("train", "validation", "test", "left_out")
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Shares:
    """How much of the rows validation and test get, as fractions."""

    validation: float = 0.1
    test: float = 0.1


@dataclass(frozen=True)
class Assignment:
    """One of the numbers above for each row, and the clusters that were too large to keep together."""

    parts: npt.NDArray[np.uint8]
    large_clusters: tuple[int, ...] = ()


def assign(
    prompts: Numbers,
    near: Iterable[tuple[int, int]],
    seed: int,
    shares: Shares,
    *,
    groups: Numbers | None = None,
    fixed: Mapping[int, int] | None = None,
) -> Assignment:
    """`prompts` are digests of normalized questions, `near` pairs of rows, `groups` digests of a column.

    A row goes where a digest of the seed and its question, or its group, says. One that is near to earlier rows goes
    with them; one that is near to two parts is left out, so that earlier rows never move. `fixed` are the parts of
    questions in an earlier version.
    """
    keys, first, inverse = np.unique(prompts, return_index=True, return_inverse=True)
    sizes = np.bincount(inverse, minlength=len(keys))
    edges = _node_edges(near, inverse)
    large = _large_clusters(edges, sizes, len(prompts), shares)
    edges = [(a, b) for a, b in edges if a not in large.members]
    nodes = _by_digest(keys, seed, shares, first)
    for key, part in (fixed or {}).items():
        if (place := int(np.searchsorted(keys, np.uint64(key)))) < len(keys) and int(keys[place]) == key:
            nodes[place] = part
    if groups is not None:
        return Assignment(_with_groups(nodes[inverse], groups, inverse, edges, seed, shares), large.sizes)
    _follow_near(nodes, edges, first, keys, fixed or {})
    _fill_empty(nodes, keys, seed, sizes)
    return Assignment(nodes[inverse], large.sizes)


def draws(keys: Numbers, seed: int) -> Numbers:
    """A number from 0 to 1 for each key, by a digest with the seed."""
    salt = np.frombuffer(blake2b(f"split/{seed}".encode(), digest_size=8).digest(), np.uint64)[0]
    mixed = keys ^ salt
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53


def _by_digest(keys: Numbers, seed: int, shares: Shares, _first: Numbers) -> npt.NDArray[np.uint8]:
    drawn = draws(keys, seed)
    parts = np.full(len(keys), TRAIN, dtype=np.uint8)
    parts[drawn < shares.test + shares.validation] = VALIDATION
    parts[drawn < shares.test] = TEST
    return parts


def _node_edges(near: Iterable[tuple[int, int]], inverse: Numbers) -> list[tuple[int, int]]:
    found = {(int(inverse[a]), int(inverse[b])) for a, b in near}
    return [(a, b) for a, b in found if a != b]


@dataclass(frozen=True)
class _Large:
    members: frozenset[int]
    sizes: tuple[int, ...]


def _large_clusters(edges: list[tuple[int, int]], sizes: Numbers, rows: int, shares: Shares) -> _Large:
    """Clusters of near duplicates with more rows than the smallest part would have."""
    parents: dict[int, int] = {}

    def root(node: int) -> int:
        while parents.setdefault(node, node) != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for a, b in edges:
        parents[root(a)] = root(b)
    clusters: dict[int, list[int]] = {}
    for node in parents:
        clusters.setdefault(root(node), []).append(node)
    smallest = max(20.0, rows * min([share for share in (shares.validation, shares.test) if share] or [1.0]))
    large = {top: int(sizes[nodes].sum()) for top, nodes in clusters.items() if sizes[nodes].sum() > smallest}
    members = frozenset(node for top in large for node in clusters[top])
    return _Large(members, tuple(sorted(large.values(), reverse=True)[:100]))


def _follow_near(
    nodes: npt.NDArray[np.uint8], edges: list[tuple[int, int]], first: Numbers, keys: Numbers, fixed: Mapping[int, int]
) -> None:
    """In the order of first appearance, each node takes the part of its earlier near nodes."""
    earlier: dict[int, list[int]] = {}
    for a, b in edges:
        old, new = (a, b) if first[a] < first[b] else (b, a)
        earlier.setdefault(new, []).append(old)
    for node in sorted(earlier, key=lambda one: int(first[one])):
        if int(keys[node]) in fixed:
            continue
        parts = {int(nodes[one]) for one in earlier[node]} - {LEFT_OUT}
        if parts:
            nodes[node] = parts.pop() if len(parts) == 1 else LEFT_OUT


def _with_groups(
    parts: npt.NDArray[np.uint8],
    groups: Numbers,
    inverse: Numbers,
    edges: list[tuple[int, int]],
    seed: int,
    shares: Shares,
) -> npt.NDArray[np.uint8]:
    """A group goes to one part; a row whose question, or one near to it, stands in another part is left out."""
    group_keys, group_of = np.unique(groups, return_inverse=True)
    wanted = _by_digest(group_keys, seed, shares, group_of)
    _fill_empty(wanted, group_keys, seed, np.bincount(group_of, minlength=len(group_keys)))
    neighbours: dict[int, list[int]] = {}
    for a, b in edges:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    taken: dict[int, int] = {}
    for row, (node, group) in enumerate(zip(inverse.tolist(), group_of.tolist(), strict=True)):
        part = int(wanted[group])
        others = {taken[one] for one in (node, *neighbours.get(node, ())) if one in taken}
        parts[row] = part if others <= {part} else LEFT_OUT
        if parts[row] != LEFT_OUT:
            taken[node] = part
    return parts


def _fill_empty(nodes: npt.NDArray[np.uint8], keys: Numbers, seed: int, sizes: Numbers) -> None:
    """In a small file a part may have no row: it gets the smallest draws of train, one question at a time."""
    order = [int(one) for one in np.argsort(draws(keys, seed), kind="stable")[:64]]
    for part in (TEST, VALIDATION):
        if not (nodes == part).any():
            usable = [one for one in order if nodes[one] == TRAIN]
            if len(usable) > 1:
                nodes[usable[0]] = part

"""Exact duplicates and contradictions, by sorting digests."""

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint64]


def exact_duplicates(digests: Numbers) -> Flags:
    """Which rows equal an earlier one; `digests` has two numbers a row.

    All rows are sorted by one of the numbers, and only those that share it by both, which takes half the memory.
    """
    shared = np.flatnonzero(_has_twin(digests[:, 0]))
    order = shared[np.lexsort((digests[shared, 1], digests[shared, 0]))]
    ordered = digests[order]
    flags = np.zeros(len(digests), dtype=bool)
    # lexsort is stable, so the first of equal rows comes first.
    flags[order[1:]] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return flags


def _has_twin(numbers: Numbers) -> Flags:
    """Which numbers occur at least twice."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    same = ordered[1:] == ordered[:-1]
    found = np.zeros(len(numbers), dtype=bool)
    found[order[1:][same]] = True
    found[order[:-1][same]] = True
    return found


def contradictions(prompts: Numbers, answers: Numbers, kept: Flags, limit: int) -> list[list[int]]:
    """Groups of rows with one question and several answers, at most `limit` groups, each with up to ten rows."""
    rows = np.flatnonzero(kept)
    order = rows[np.lexsort((rows, prompts[rows]))]
    sorted_prompts, sorted_answers = prompts[order], answers[order]
    same = sorted_prompts[1:] == sorted_prompts[:-1]
    other = sorted_answers[1:] != sorted_answers[:-1]
    found = np.unique(sorted_prompts[1:][same & other])[:limit]
    groups: list[list[int]] = []
    for prompt in found:
        start, end = np.searchsorted(sorted_prompts, [prompt, np.uint64(prompt + np.uint64(1))])
        groups.append(sorted(order[start : min(end, start + 10)].tolist()))
    return sorted(groups)

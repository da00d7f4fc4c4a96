"""Near duplicates are found on labelled pairs, and rows near to each other never stand in two splits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.checks.row_checker import CheckOptions
from services.ingest.row_index import RowIndex
from services.ingest.splits.assignment import LEFT_OUT, TEST, TRAIN, Earlier, Shares, Splitter
from shared.near_duplicates import NearTexts, are_near, band_keys, normalized, signatures
from tests.labelled_pairs import Pair, pairs
from tests.prepared import chat, check, filler, jsonl


def macro_f1(found: list[bool], labelled: list[Pair]) -> float:
    scores: list[float] = []
    for label in (True, False):
        right = sum(one == label == pair.near for one, pair in zip(found, labelled, strict=True))
        wrong = sum((one == label) != (pair.near == label) for one, pair in zip(found, labelled, strict=True))
        scores.append(2 * right / (2 * right + wrong))
    return sum(scores) / 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_near_duplicates_are_found_on_labelled_pairs(language: str) -> None:
    labelled = [pair for pair in pairs() if pair.language == language]
    texts = [(normalized(pair.one), normalized(pair.other)) for pair in labelled]
    one, other = (band_keys(signatures([pair[side] for pair in texts])) for side in (0, 1))
    candidates = (one == other).any(axis=1)
    found = [bool(near) and (a == b or are_near(a, b)) for near, (a, b) in zip(candidates, texts, strict=True)]
    assert len(labelled) == 1000
    assert macro_f1(found, labelled) >= 0.95


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=20))
def test_signatures_are_made_of_any_text(texts: list[str]) -> None:
    made = signatures([normalized(text) for text in texts])
    assert len(made) == len(texts)
    for text, signature in zip(texts, made, strict=True):
        assert (signatures([normalized(text)])[0] == signature).all()


def test_texts_are_looked_up_with_their_twin_and_similarity() -> None:
    known = NearTexts(["How do I reset my password?", "Where is the lift?"])
    [(place, twin, similarity)] = known.find(["Is there a bar?", "how do i reset my password??"])
    assert (place, twin, similarity) == (1, 0, 1.0)


def test_near_questions_share_a_split() -> None:
    first = [f"{row['messages'][0]['content']} Please answer in one short sentence." for row in filler(60)]
    twins = [f"Hello, {question}" for question in first]
    checked = check(jsonl([chat(question, f"a{n}") for n, question in enumerate([*first, *twins])]))
    assert checked.report.twins.near == 60
    assert all(checked.part_of(one) == checked.part_of(other) for one, other in zip(first, twins, strict=True))
    assert min(map(len, checked.splits.values())) > 0


@given(st.integers(20, 300), st.integers(0, 2**31 - 1), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_rows_never_move_when_rows_are_added(count: int, seed: int, added: int) -> None:
    prompts = np.random.default_rng(seed).integers(0, 2**63, count + added, dtype=np.uint64)
    near = [(n, n + 7) for n in range(0, count - 7, 11)]
    before = Splitter(prompts[:count], seed, Shares()).assign(near).parts
    _, first = np.unique(prompts[:count], return_index=True)
    order = np.argsort(prompts[:count][first])
    earlier = Earlier(prompts[:count][first][order], before[first][order])
    more = [*near, *((n, count + n) for n in range(0, min(added, count), 5))]
    after = Splitter(prompts, seed, Shares(), earlier).assign(more).parts
    assert (after[:count] == before).all()


def test_a_row_near_to_two_splits_is_left_out() -> None:
    prompts = np.arange(1, 400, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    alone = Splitter(prompts, 1, Shares()).assign([]).parts
    test, train = int(np.flatnonzero(alone == TEST)[0]), int(np.flatnonzero(alone == TRAIN)[0])
    parts = Splitter(prompts, 1, Shares()).assign([(test, 398), (train, 398)]).parts
    assert parts[398] == LEFT_OUT


def test_rows_of_one_group_share_a_split_and_shares_can_be_chosen() -> None:
    rows = [{**row, "customer": f"c{n % 40}"} for n, row in enumerate(filler(400))]
    options = {"check": CheckOptions(group="customer"), "shares": Shares(validation=0.2, test=0.3), "near": False}
    checked = check(jsonl(rows), **options)
    of_group: dict[str, set[int]] = {}
    for row, part in zip(rows, checked.parts, strict=True):
        of_group.setdefault(row["customer"], set()).add(part)
    assert all(len(parts) == 1 for parts in of_group.values())
    assert len(checked.splits["test"]) > len(checked.splits["validation"]) > 0


def test_a_cluster_larger_than_a_split_is_reported_and_not_kept_together() -> None:
    extra = ("please", "thanks", "hello", "now", "today", "soon")
    base = "tell me in a few words how the return of a damaged parcel works in your shop"
    rows = [chat(f"{a} {b} {c} {base}", "a") for a in extra for b in extra for c in extra]
    checked = check(jsonl([*rows, *filler(40)]))
    assert checked.report.twins.large_clusters
    assert min(map(len, checked.splits.values())) > 0


def test_the_difference_to_a_version_before_is_rows_added_and_removed(tmp_path) -> None:
    rows = filler(40)
    before, after = check(jsonl(rows[:30])).prepared.index, check(jsonl(rows[5:40])).prepared.index
    assert before is not None
    assert after is not None
    after.save(tmp_path / "index.npz")
    added, removed = RowIndex.load(tmp_path / "index.npz").difference(before)
    assert (len(added), len(removed)) == (10, 5)
    assert after.places[added].tolist() == list(range(26, 36))

"""Figures of the rows that train: lengths, languages, labels, contradictions."""

import numpy as np

from services.ingest.checks.row_store import RowStore
from services.ingest.report import Contradiction, Report
from services.ingest.row_index import Numbers
from services.ingest.shapes.canonical import (
    Conversation,
    LabelledAnswer,
    PlainText,
    Preference,
    Row,
    decode,
    prompt_and_answer,
)
from services.ingest.shapes.findings import shortened
from services.ingest.splits.assignment import LEFT_OUT, TRAIN
from services.ingest.splits.duplicates import contradictions
from services.ingest.statistics import labels, languages
from services.ingest.statistics.advice import advise
from services.ingest.statistics.lengths import TokenCounter, lengths

# Enough for a share to be within one per cent.
_SAMPLED_ROWS = 20_000
_SAMPLED_FOR_LANGUAGE = 5_000
_LARGEST_ROWS = 50


def measure(
    report: Report, store: RowStore, kind: str, parts: Numbers, counter: TokenCounter, engine_context: int | None
) -> None:
    """Fill in the figures, from rows spread evenly over all that train; the longest row is looked for in all splits."""
    rows = np.flatnonzero(parts == TRAIN)
    step = max(1, len(rows) // _SAMPLED_ROWS)
    sampled = [decode(kind, store.json_line(int(row))) for row in rows[::step]]
    texts = [whole_text(row) for row in sampled]
    longest = [whole_text(decode(kind, store.json_line(row))) for row in _largest(store, parts)]
    report.lengths = lengths(
        counter, texts, [message_count(row) for row in sampled], len(rows), longest, engine_context
    )
    said = [prompt_and_answer(row) for row in sampled[:: max(1, len(sampled) // _SAMPLED_FOR_LANGUAGE)]]
    report.language_rows = len(said)
    report.languages = languages.shares([f"{prompt[:150]} {answer[:150]}" for prompt, answer in said])
    report.labels = {shortened(k, 80): v for k, v in labels.balance([answer for _, answer in said if answer]).items()}
    report.advice = advise(len(rows), report.lengths, report.labels, len(report.contradictions))


def _largest(store: RowStore, parts: Numbers) -> list[int]:
    """The rows of the three splits with the most bytes, of which one has the most tokens."""
    rows = np.flatnonzero(parts < LEFT_OUT)
    sizes = np.diff(store.ends, prepend=np.uint64(0))[rows]
    return rows[np.argpartition(sizes, -min(_LARGEST_ROWS, len(rows)))[-_LARGEST_ROWS:]].tolist()


def contradictions_of(
    store: RowStore, kind: str, kept: Numbers, flags: Numbers, flag: int, limit: int
) -> list[Contradiction]:
    """The first questions with several answers; all rows of these are flagged."""
    if kind == "text":
        return []
    found = contradictions(store.numbers("prompt"), store.numbers("answer"), kept, limit)
    flags[np.array([row for rows in found for row in rows], dtype=np.int64)] |= flag
    return [_contradiction(store, kind, rows) for rows in found]


def _contradiction(store: RowStore, kind: str, rows: list[int]) -> Contradiction:
    said = [prompt_and_answer(decode(kind, store.json_line(row))) for row in rows]
    places = store.numbers("place")
    return Contradiction(
        lines=[int(places[row]) for row in rows],
        question=shortened(said[0][0], 300),
        answers=[shortened(answer, 200) for _, answer in said],
    )


def whole_text(row: Row) -> str:
    """All texts of a row, as far as a model reads them at once."""
    if isinstance(row, PlainText):
        return row.text
    system = "\n".join(one.content for one in _messages(row) if one.role == "system")
    return "\n".join([system, *prompt_and_answer(row)])


def message_count(row: Row) -> int:
    """How many messages a row has."""
    return 0 if isinstance(row, PlainText) else len(_messages(row))


def _messages(row: Conversation | Preference | LabelledAnswer) -> tuple:  # type: ignore[type-arg]
    if isinstance(row, Conversation):
        return row.messages
    return row.input.messages + (row.preferred_output if isinstance(row, Preference) else row.output)

"""Training rows that contain questions of suites."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.ingest.checks.finding_log import FindingLog
from services.ingest.checks.row_store import RowStore
from services.ingest.report import SuiteReport, SuiteTwin
from services.ingest.row_index import IN_SUITE, Numbers, RowIndex
from services.ingest.shapes.canonical import decode, prompt_and_answer
from services.ingest.shapes.findings import RowReport, shortened
from services.ingest.splits.assignment import TRAIN
from services.ingest.suites.questions import SuiteQuestion
from shared.contamination import QuestionIndex

_ROWS_AT_ONCE = 5_000
_SHOWN = 20


@dataclass(frozen=True)
class KnownSuite:
    """A suite with the questions that are compared."""

    name: str
    revision: int
    questions: Sequence[SuiteQuestion]


class _Twin(NamedTuple):
    question: int
    row: int
    similarity: float


def find_overlaps(
    suites: Sequence[KnownSuite], store: RowStore, kind: str, index: RowIndex, log: FindingLog
) -> list[SuiteReport]:
    """What training rows and suites share: flags and reports each row. Suites that share nothing are listed, too."""
    rows = np.flatnonzero(index.parts == TRAIN)
    places = [(suite, one) for suite in suites for one in suite.questions]
    found = list(_twins([one.text for _suite, one in places], store, kind, rows)) if places else []
    index.flags[np.array([twin.row for twin in found], dtype=np.int64)] |= IN_SUITE
    for twin in found:
        suite, asked = places[twin.question]
        report = RowReport(int(index.places[twin.row]))
        reason = f"contains a question of the suite {suite.name!r}, task {asked.task!r}"
        reason += f" (similarity {twin.similarity:.2f}): {shortened(asked.text, 200)}"
        fix = "remove the row: the score of a model that learned the question means nothing"
        report.notice("in_suite", "", reason, fix)
        log.add(report)
    return [_report(suite, [t for t in found if places[t.question][0] is suite], places, index) for suite in suites]


def _twins(questions: Sequence[str], store: RowStore, kind: str, rows: Numbers) -> Iterator[_Twin]:
    known = QuestionIndex(questions)
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[at : at + _ROWS_AT_ONCE]
        said = [prompt_and_answer(decode(kind, store.json_line(int(row)))) for row in block]
        prompts, answers = [prompt for prompt, _ in said], [answer for _, answer in said]
        for twin in known.find(prompts, answers, store.band_keys(block)):
            yield _Twin(twin.question, int(block[twin.row]), twin.similarity)


def _report(
    suite: KnownSuite, found: Sequence[_Twin], places: Sequence[tuple[KnownSuite, SuiteQuestion]], index: RowIndex
) -> SuiteReport:
    most = sorted(found, key=lambda twin: -twin.similarity)[:_SHOWN]
    return SuiteReport(
        suite=suite.name,
        revision=suite.revision,
        questions=len(suite.questions),
        seen=len({twin.question for twin in found}),
        rows=len({twin.row for twin in found}),
        twins=[
            SuiteTwin(
                line=int(index.places[twin.row]),
                task=places[twin.question][1].task,
                question=shortened(places[twin.question][1].text, 300),
                similarity=round(twin.similarity, 3),
            )
            for twin in most
        ],
    )

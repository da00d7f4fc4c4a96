"""What is known about a dataset after its checks: the document that is kept and shown."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.ingest.statistics.advice import Advice
from services.ingest.statistics.lengths import Lengths
from shared.events import Artifact, RowError


class Counts(BaseModel):
    """Rows in the file and where they went: `rows` is the sum of all others."""

    rows: int = 0
    train: int = 0
    validation: int = 0
    test: int = 0
    duplicates: int = 0
    """Rows that equal an earlier one, and rows near to two splits."""
    dropped: int = 0


class Twins(BaseModel):
    """What was found about duplicates. `near_pairs` are pairs of lines, the first hundred of them."""

    exact: int = 0
    near: int = 0
    left_out: int = 0
    large_clusters: list[int] = Field(default_factory=list[int])
    near_pairs: list[tuple[int, int]] = Field(default_factory=list[tuple[int, int]])


class Contradiction(BaseModel):
    """One question with several answers, by the lines of its rows."""

    lines: list[int]
    question: str
    answers: list[str]


class SuiteTwin(BaseModel):
    """A training row, by its line, that contains a question of a suite."""

    line: int
    task: str
    question: str
    similarity: float


class SuiteReport(BaseModel):
    """A suite that the training rows were compared with.

    `seen` of its `questions` are in `rows` rows; `twins` are the most similar ones.
    """

    suite: str
    revision: int
    questions: int
    seen: int
    rows: int
    twins: list[SuiteTwin]


class Report(BaseModel):
    """The result of all checks; lists in it have at most a hundred entries, the artifacts hold all."""

    detected: dict[str, Any] = Field(default_factory=dict)
    kind: Literal["", "chat", "text", "preference", "unpaired"] = ""
    shapes: dict[str, int] = Field(default_factory=dict)
    counts: Counts = Counts()
    errors: list[RowError] = Field(default_factory=list[RowError])
    notices: list[RowError] = Field(default_factory=list[RowError])
    finding_counts: dict[str, int] = Field(default_factory=dict)
    twins: Twins = Twins()
    contradictions: list[Contradiction] = Field(default_factory=list[Contradiction])
    suites: list[SuiteReport] = Field(default_factory=list[SuiteReport])
    lengths: Lengths | None = None
    languages: dict[str, float] = Field(default_factory=dict)
    language_rows: int = 0
    """In how many training rows the languages were looked for; 0 in reports from before it was kept."""
    labels: dict[str, float] = Field(default_factory=dict)
    advice: list[Advice] = Field(default_factory=list[Advice])
    findings: Artifact | None = None
    """Every error, and notices up to ten thousand of a code, as JSON Lines."""
    rows: Artifact | None = None
    """Every good row in the canonical form."""
    fields: Artifact | None = None
    """The other columns of each row, where there are any."""
    index: Artifact | None = None
    """Numbers of each row: where it stood, its split, its digest."""

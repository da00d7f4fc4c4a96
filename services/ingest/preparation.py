"""Makes a dataset of one uploaded file: read, check, find duplicates, split, measure."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from services.ingest.checks.finding_log import FindingLog
from services.ingest.checks.row_checker import CheckOptions, RowChecker
from services.ingest.checks.row_store import RowStore
from services.ingest.reading.limits import Limits
from services.ingest.reading.refusal import FileRefused
from services.ingest.reading.sources import ReadOptions, open_source
from services.ingest.report import Counts, Report, Twins
from services.ingest.row_index import CONTRADICTION, DUPLICATE, DUPLICATE_PART, NEAR, Numbers, RowIndex
from services.ingest.shapes.findings import Finding, shortened
from services.ingest.split_files import NotRendered, RowFiles, write_splits
from services.ingest.splits.assignment import LEFT_OUT, Earlier, Shares, Splitter
from services.ingest.splits.duplicates import exact_duplicates
from services.ingest.splits.near_rows import near_rows
from services.ingest.statistics.lengths import TokenCounter
from services.ingest.statistics.measurement import contradictions_of, measure
from services.ingest.suites.overlaps import KnownSuite, find_overlaps
from shared.events import PromptTemplate, RowError

MIN_ROWS = 10
SHOWN = 100


@dataclass(frozen=True)
class Request:
    """What to make of a file. `near` and `measured` switch the checks that take longest."""

    path: Path
    filename: str
    read: ReadOptions = field(default_factory=ReadOptions)
    check: CheckOptions = field(default_factory=CheckOptions)
    drop_bad_rows: bool = False
    seed: int = 0
    shares: Shares = field(default_factory=Shares)
    template: PromptTemplate | None = None
    earlier: Earlier | None = None
    limits: Limits = field(default_factory=Limits)
    engine_context: int | None = None
    """How many tokens the serving engine takes, if that is known."""
    counter: TokenCounter = field(default_factory=lambda: TokenCounter("", None))
    suites: Sequence[KnownSuite] = ()
    near: bool = True
    measured: bool = True


@dataclass
class Prepared:
    """The files of a dataset, in the scratch folder; no splits where it was refused."""

    report: Report
    findings: Path
    splits: dict[str, Path] = field(default_factory=lambda: dict[str, Path]())
    index: RowIndex | None = None
    rows: Path | None = None
    fields: Path | None = None

    @property
    def refused(self) -> bool:
        return not self.splits


def prepare(request: Request, scratch: Path) -> Prepared:
    """A dataset, or the reasons why the file cannot be one; never raises for what is in the file."""
    log = FindingLog(scratch / "findings.jsonl")
    store = RowStore(scratch, bands=request.near)
    checker = RowChecker(request.check, log)
    report = Report()
    try:
        _read(request, checker, store, report, scratch)
        refusal = _refusal(request, checker)
    except FileRefused as refused:
        refusal = refused
    finally:
        store.close()
    prepared = Prepared(report, log.path)
    if refusal is None:
        refusal = _split(request, store, prepared, scratch, log, checker.kind)
    _fill_report(request, report, checker, log, refusal)
    log.close()
    if refusal is not None:
        prepared.splits = {}
    return prepared


def _read(request: Request, checker: RowChecker, store: RowStore, report: Report, scratch: Path) -> None:
    source = open_source(request.path, request.filename, request.read, request.limits, scratch)
    try:
        for block in source.blocks:
            for batch in checker.check(block):
                store.append(batch)
    finally:
        report.detected = asdict(source.detected)
        report.detected["columns"] = [shortened(one, 100) for one in source.detected.columns[:100]]


def _refusal(request: Request, checker: RowChecker) -> FileRefused | None:
    if checker.bad_rows and not request.drop_bad_rows:
        reason = f"{checker.bad_rows} of {checker.rows} rows are bad"
        return FileRefused("bad_rows", reason, "correct these rows, or upload with on_error=drop to leave them out")
    if request.template is not None and checker.kind not in ("", "chat"):
        reason = f"prompt templates apply to conversations only; these rows are of the kind {checker.kind}"
        return FileRefused("template_for_other_kind", reason, "upload the file without a template")
    return None


def _split(
    request: Request, store: RowStore, prepared: Prepared, scratch: Path, log: FindingLog, kind: str
) -> FileRefused | None:
    """Fill `prepared` with splits and figures; gives the reason where there are too few rows."""
    duplicates = exact_duplicates(store.numbers("row")) if store.count else np.zeros(0, dtype=bool)
    unique = int((~duplicates).sum())
    if unique < MIN_ROWS:
        reason = f"has {unique} different good rows; at least {MIN_ROWS} are needed"
        return FileRefused("too_few_rows", reason, "add rows")
    near = list(near_rows(store, kind)) if request.near else []
    splitter = Splitter(store.numbers("prompt"), request.seed, request.shares, request.earlier)
    assignment = splitter.assign(near, store.numbers("group") if request.check.group else None)
    parts = assignment.parts.copy()
    _note_left_out(store, parts, log)
    parts[duplicates] = DUPLICATE_PART
    if not (parts == 0).any() or (request.shares.test and not (parts == 2).any()):
        return FileRefused(
            "too_few_questions", "has too few different questions to hold any out for testing", "add rows"
        )
    index = RowIndex(
        store.numbers("place"),
        parts,
        _flags(duplicates, near),
        store.ends,
        store.numbers("row"),
        store.numbers("prompt"),
    )
    report = prepared.report
    report.counts = _counts(parts)
    report.twins = _twins(duplicates, near, parts, index.places, assignment.large_clusters)
    report.suites = find_overlaps(request.suites, store, kind, index, log)
    if request.measured:
        report.contradictions = contradictions_of(store, kind, ~duplicates, index.flags, CONTRADICTION, SHOWN)
        measure(report, store, kind, parts, request.counter, request.engine_context)
    prepared.index, prepared.rows = index, store.path
    prepared.fields = store.fields_path if store.has_fields else None
    try:
        prepared.splits = write_splits(RowFiles(store.path, prepared.fields), parts, request.template, scratch)
    except NotRendered as error:
        reason = f"line {int(index.places[error.row])} {error.reason}"
        return FileRefused("row_not_rendered", reason, "change the row, or upload the file without a template")
    return None


def _note_left_out(store: RowStore, parts: Numbers, log: FindingLog) -> None:
    reason = "is left out: its question is near to rows of two splits"
    for row in np.flatnonzero(parts == LEFT_OUT).tolist():
        place = int(store.numbers("place")[row])
        log.add([Finding("notice", "near_two_splits", place, "", "", reason, "leave it out, or change its question")])


def _flags(duplicates: Numbers, near: Iterable[tuple[int, int]]) -> Numbers:
    flags = np.where(duplicates, DUPLICATE, 0).astype(np.uint8)
    rows = np.array([row for pair in near for row in pair], dtype=np.int64)
    flags[rows] |= NEAR
    return flags


def _counts(parts: Numbers) -> Counts:
    found = np.bincount(parts, minlength=DUPLICATE_PART + 1).tolist()
    return Counts(train=found[0], validation=found[1], test=found[2], duplicates=found[3] + found[4])


def _twins(
    duplicates: Numbers, near: list[tuple[int, int]], parts: Numbers, places: Numbers, large: tuple[int, ...]
) -> Twins:
    pairs = [(int(places[a]), int(places[b])) for a, b in near[:SHOWN]]
    left_out = int((parts == LEFT_OUT).sum())
    return Twins(
        exact=int(duplicates.sum()), near=len(near), left_out=left_out, large_clusters=list(large), near_pairs=pairs
    )


def _fill_report(
    request: Request, report: Report, checker: RowChecker, log: FindingLog, refusal: FileRefused | None
) -> None:
    report.kind = checker.kind  # type: ignore[assignment]
    report.shapes = dict(checker.shapes)
    report.detected["mapping"] = dict(request.check.mapping) or checker.mapped
    report.counts.rows = checker.rows
    report.counts.dropped = checker.bad_rows
    report.errors = [_row_error(one) for one in log.errors]
    report.notices = [_row_error(one) for one in log.notices]
    report.finding_counts = dict(log.counts)
    if refusal is not None and refusal.code != "bad_rows":
        reason = shortened(refusal.reason, 500)
        report.errors.insert(0, RowError(line=0, field="", reason=reason, code=refusal.code, fix=refusal.fix[:500]))
        report.errors = report.errors[:SHOWN]


def _row_error(one: Finding) -> RowError:
    return RowError(line=one.line, field=one.field, reason=one.reason, code=one.code, cell=one.cell, fix=one.fix)

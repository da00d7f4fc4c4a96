"""Checks rows one by one, or plain chats many at a time, and reports each that is bad."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ingest.checks.batch import Batch
from services.ingest.checks.fast_chat import read_plain_chats
from services.ingest.checks.finding_log import FindingLog
from services.ingest.reading.json_objects import raw_rows
from services.ingest.reading.raw_rows import Block, LineBlock, Problem, RawRow
from services.ingest.shapes import catalog
from services.ingest.shapes.canonical import Row, encode, kind_of, prompt_and_answer
from services.ingest.shapes.findings import RowReport
from services.ingest.shapes.shape import Shape

_LINES_AT_ONCE = 64
_RETRY_BLOCKS = 16
_MOST_KNOWN = 1_000
_FIELD_CHARS = 20_000


@dataclass(frozen=True)
class CheckOptions:
    """What a user said about the rows: their shape, columns to rename, the column that groups them.

    `template_fields` are further columns that a template needs in each row.
    """

    shape: str = ""
    mapping: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    group: str = ""
    template_fields: frozenset[str] = frozenset()

    @property
    def plain(self) -> bool:
        return self.shape in ("", "chat") and not (self.mapping or self.group or self.template_fields)


class RowChecker:
    """Gives batches of good rows; all rows of a file have one kind, that of its first good row."""

    def __init__(self, options: CheckOptions, log: FindingLog) -> None:
        self._options = options
        self._log = log
        self._slow_blocks = 0
        self.kind = ""
        self.shapes: dict[str, int] = {}
        self.mapped: dict[str, str] = {}
        self._known_keys: dict[frozenset[str], Mapping[str, str]] = {}
        self.rows = 0
        self.bad_rows = 0

    def check(self, block: Block) -> Iterator[Batch]:
        """The good rows of a block, in their order."""
        if not isinstance(block, LineBlock):
            yield from self._one_by_one(block)
        elif self._options.plain and self.kind in ("", "chat") and not self._slow_blocks:
            yield from self._fast(block)
        else:
            self._slow_blocks = max(0, self._slow_blocks - 1)
            yield from self._one_by_one(raw_rows(block))

    def _fast(self, block: LineBlock) -> Iterator[Batch]:
        if (batch := read_plain_chats(block.first, block.content)) is not None:
            yield self._counted(batch)
            return
        slow = parts = 0
        for part in _parts(block):
            parts += 1
            batch = read_plain_chats(part.first, part.content) if self.kind in ("", "chat") else None
            if batch is None:
                slow += 1
                yield from self._one_by_one(raw_rows(part))
            else:
                yield self._counted(batch)
        if slow * 2 > parts:
            self._slow_blocks = _RETRY_BLOCKS

    def _counted(self, batch: Batch) -> Batch:
        self.kind = "chat"
        self.rows += len(batch.lines)
        self.shapes["chat"] = self.shapes.get("chat", 0) + len(batch.lines)
        return batch

    def _one_by_one(self, rows: Iterable[RawRow]) -> Iterator[Batch]:
        batch = Batch(self.kind)
        for raw in rows:
            self.rows += 1
            report = RowReport(raw.line, raw.cell)
            found = self._row(raw, report)
            self._log.add(report)
            if found is None:
                self.bad_rows += 1
                continue
            row, others = found
            batch.kind = self.kind
            prompt, answer = prompt_and_answer(row)
            batch.places.append(raw.line)
            batch.lines.append(encode(row))
            batch.prompts.append(prompt)
            batch.answers.append(answer)
            batch.fields.append(others)
            if self._options.group:
                batch.groups.append(str(others.get(self._options.group, "")))
        if batch.lines:
            yield batch

    def _row(self, raw: RawRow, report: RowReport) -> tuple[Row, dict[str, Any]] | None:
        if raw.problem is not None or raw.value is None:
            code, reason, fix = raw.problem or Problem("empty", "is empty", "remove it")
            report.error(code, "", reason, fix)
            return None
        value = self._renamed(raw.value)
        shape = self._shape(value, report)
        if shape is None:
            return None
        used = self._options.template_fields | ({self._options.group} if self._options.group else set())
        row = catalog.read(value, shape, report, flat=raw.flat, used=frozenset(used))
        others = {key: one for key, one in value.items() if key not in shape.keys and _fits(one)}
        self._check_fields(others, report)
        if row is None or report.refused or not self._one_kind(kind_of(row), report):
            return None
        self.shapes[shape.name] = self.shapes.get(shape.name, 0) + 1
        return row, others

    def _shape(self, value: dict[str, Any], report: RowReport) -> Shape | None:
        if self._options.shape:
            return catalog.SHAPES[self._options.shape]
        keys = frozenset(value) - self._options.template_fields - {self._options.group}
        return catalog.shape_of(keys, report)

    def _renamed(self, value: dict[str, Any]) -> dict[str, Any]:
        mapping = self._options.mapping
        if not mapping and not self._options.shape:
            mapping = self._synonyms(frozenset(value))
        return {mapping.get(key, key): one for key, one in value.items()} if mapping else value

    def _synonyms(self, keys: frozenset[str]) -> Mapping[str, str]:
        if (known := self._known_keys.get(keys)) is None:
            known = catalog.synonyms(keys - self._options.template_fields)
            if len(self._known_keys) < _MOST_KNOWN:
                self._known_keys[keys] = known
            self.mapped.update(known)
        return known

    def _check_fields(self, others: dict[str, Any], report: RowReport) -> None:
        for name in sorted(self._options.template_fields):
            if others.get(name) in (None, ""):
                report.error("missing_field", name, "is missing, and the template needs it", "fill this column")
        if self._options.group and not others.get(self._options.group):
            report.error("missing_group", self._options.group, "is empty", "fill the column that groups rows")

    def _one_kind(self, kind: str, report: RowReport) -> bool:
        self.kind = self.kind or kind
        if kind != self.kind:
            reason = f"is a row of another kind ({kind}) than the rows before it ({self.kind})"
            report.error(
                "mixed_kinds", "", reason, "upload each kind in a separate file: each kind is trained differently"
            )
        return kind == self.kind


def _fits(value: Any) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= _FIELD_CHARS


def _parts(block: LineBlock) -> Iterator[LineBlock]:
    lines = block.content.removesuffix(b"\n").split(b"\n")
    for at in range(0, len(lines), _LINES_AT_ONCE):
        yield LineBlock(block.first + at, b"\n".join(lines[at : at + _LINES_AT_ONCE]))

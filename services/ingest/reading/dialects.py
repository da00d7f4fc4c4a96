"""Which delimiter and quote a table in text has."""

import csv
import io
from collections import Counter
from dataclasses import dataclass

_DELIMITERS = (",", ";", "\t", "|")
_QUOTES = ('"', "'")
_ROWS = 50


@dataclass(frozen=True)
class Dialect:
    """How cells are separated."""

    delimiter: str = ","
    quote: str = '"'


def detect(sample: str, whole: bool, usual: str) -> Dialect:
    """The dialect in which most rows have as many cells as the header; a file of one column has the `usual` one."""
    candidates = [Dialect(delimiter, _quote(sample, delimiter)) for delimiter in _DELIMITERS]
    scored = [(_score(sample, dialect, whole), -place, dialect) for place, dialect in enumerate(candidates)]
    (score, columns), _, best = max(scored, key=lambda one: one[:2])
    return best if columns > 1 and score > 0 else Dialect(usual, _quote(sample, usual))


def _quote(sample: str, delimiter: str) -> str:
    """A quote stands at the edge of cells: beside a delimiter or a line break."""
    edges = Counter[str]()
    for quote in _QUOTES:
        for before in (delimiter, "\n"):
            edges[quote] += sample.count(before + quote)
        edges[quote] += sample.startswith(quote)
    closing = sum(sample.count("'" + after) for after in (delimiter, "\n", "\r"))
    single = edges["'"] > 0 and closing >= 0.8 * edges["'"]
    return "'" if single and edges["'"] > 2 * edges['"'] else '"'


def _score(sample: str, dialect: Dialect, whole: bool) -> tuple[float, int]:
    """The share of rows with the header's number of cells, and that number."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if len(rows) > _ROWS:
                break
    except csv.Error:
        return 0.0, 0
    if not whole and len(rows) > 1 and len(rows) <= _ROWS:
        # The sample may end within the last row.
        rows.pop()
    rows = [row for row in rows if row]
    if not rows:
        return 0.0, 0
    width = len(rows[0])
    if width < 2:
        return 0.0, width
    return sum(len(row) == width for row in rows) / len(rows), width

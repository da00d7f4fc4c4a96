"""Near duplicates of a dataset, each pair side by side, with what differs marked."""

import asyncio
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from markupsafe import Markup, escape

from services.ingest.domain.dataset import Dataset
from services.ingest.pages import PAGES
from services.ingest.pages.access import visible
from services.ingest.pages.shown_row import ShownRow, shown_row
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import Rows
from shared.near_duplicates import normalized, similarity

AnyRequest = Request[Any, Any, Any]
_PAIRS_SHOWN = 10
_SHOWN_CHARS = 300
_WORDS = re.compile(r"[a-zA-Z0-9]+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Twin:
    """Two rows whose questions are nearly the same; `difference` is the second question beside the first."""

    one: ShownRow
    other: ShownRow
    similarity: float
    question: str
    difference: Markup


@get("/datasets/{dataset_id:str}/twins")
async def twins_part(
    request: AnyRequest, dataset_id: FromPath[str], datasets: NamedDependency[Datasets], rows: NamedDependency[Rows]
) -> Response[bytes]:
    """The first pairs, for the page of the dataset."""
    found = await visible(request, datasets, dataset_id)
    twins = await asyncio.to_thread(lambda: list(_twins(found, rows)))
    return PAGES.fragment(request, "twins.html.j2", data=found, twins=twins)


def _twins(found: Dataset, rows: Rows) -> Iterator[Twin]:
    pairs = found.report.twins.near_pairs[:_PAIRS_SHOWN]
    if not pairs or found.report.index is None:
        return
    lines = np.array(sorted({line for pair in pairs for line in pair}))
    numbers = np.flatnonzero(np.isin(rows.index(found).places, lines))
    by_line = {row.line: row for row in map(shown_row, rows.chosen(found, numbers))}
    for one, other in pairs:
        if one in by_line and other in by_line:
            yield _twin(by_line[one], by_line[other])


def _twin(one: ShownRow, other: ShownRow) -> Twin:
    left, right = _question(one), _question(other)
    alike = similarity(normalized(left), normalized(right))
    return Twin(one, other, alike, left[:_SHOWN_CHARS], difference(left[:_SHOWN_CHARS], right[:_SHOWN_CHARS]))


def difference(before: str, after: str) -> Markup:
    """The second text, with words that only it has as `ins`, and those that only the first has as `del`."""
    left, right = _WORDS.findall(before), _WORDS.findall(after)
    parts = list[Markup]()
    for tag, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(escape("".join(right[c:d])))
            continue
        if gone := "".join(left[a:b]):
            parts.append(Markup("<del>{}</del>").format(gone))
        if new := "".join(right[c:d]):
            parts.append(Markup("<ins>{}</ins>").format(new))
    return Markup("").join(parts)


def _question(row: ShownRow) -> str:
    asked = [turn.text for turn in row.turns if turn.role in ("user", "tool", "text")]
    return "\n".join(asked)

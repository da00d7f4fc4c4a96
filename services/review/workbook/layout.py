"""The columns of a review's workbook, and how long texts are put into cells."""

import re

from services.review.policies.domain.rubric import Rubric

CELL_LIMIT = 32_767
"""Signs that one cell of an Excel sheet can hold."""
SHEET = "Scores"
SCORE = "score: "
ID, COMMENT = "id", "comment"
READ_ONLY = ("prompt", "expected", "answer")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
MARK = "�"
"""Stands for a sign that a workbook cannot hold."""
MORE = " […goes on in the next column]"


def header(rubric: Rubric, parts: int) -> list[str]:
    """The columns' names; `parts` is how many cells the longest text needs."""
    scores = [SCORE + name for name in rubric.names]
    texts = [column(name, part) for name in READ_ONLY for part in range(parts)]
    return [ID, *scores, COMMENT, *texts]


def column(name: str, part: int) -> str:
    """The name of a text's column, numbered from the second on."""
    return name if part == 0 else f"{name} ({part + 1})"


def cells(text: str) -> list[str]:
    """A text as one or more cells. A part that goes on says so; a sign that a workbook cannot hold is marked."""
    clean = _FORBIDDEN.sub(MARK, text)
    # Excel counts UTF-16 units.
    step = (CELL_LIMIT - len(MORE)) // 2
    if len(clean.encode("utf-16-le")) // 2 <= CELL_LIMIT:
        return [clean]
    parts = [clean[at : at + step] for at in range(0, len(clean), step)]
    return [part + MORE for part in parts[:-1]] + parts[-1:]

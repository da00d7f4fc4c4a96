"""Pairs of rows with nearly the same question: candidates by band, each pair compared once."""

from collections import OrderedDict
from collections.abc import Iterator

from services.ingest.checks.row_store import RowStore
from services.ingest.shapes.canonical import decode, prompt_and_answer
from shared.near_duplicates import BANDS, are_near, candidates, normalized

_MOST_REMEMBERED = 4_000_000
_MOST_TEXTS = 20_000


def near_rows(store: RowStore, kind: str) -> Iterator[tuple[int, int]]:
    """Near pairs of rows whose questions differ by more than case and spacing."""
    prompts, questions = store.numbers("prompt"), _Questions(store, kind)
    compared: set[int] = set()
    for band in range(BANDS):
        for one, other in candidates(store.band(band)):
            pair = one * store.count + other
            if prompts[one] == prompts[other] or pair in compared:
                continue
            if len(compared) < _MOST_REMEMBERED:
                compared.add(pair)
            if are_near(questions[one], questions[other]):
                yield one, other


class _Questions:
    """Normalized questions read from disk, the last ones kept."""

    def __init__(self, store: RowStore, kind: str) -> None:
        self._store, self._kind = store, kind
        self._texts = OrderedDict[int, str]()

    def __getitem__(self, row: int) -> str:
        if (text := self._texts.get(row)) is None:
            text = normalized(prompt_and_answer(decode(self._kind, self._store.json_line(row)))[0])
            self._texts[row] = text
            if len(self._texts) > _MOST_TEXTS:
                self._texts.popitem(last=False)
        return text

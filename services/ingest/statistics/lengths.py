"""Token lengths, by the tokenizer of a base model where it is on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from tokenizers import Tokenizer

# What chat templates add to each message, on average of the common ones.
_TOKENS_PER_MESSAGE = 5
# Without a tokenizer: English has about four bytes a token, Chinese about three, which is one character.
_BYTES_PER_TOKEN = 3.5
PERCENTILES = (50, 90, 95, 99)


class Lengths(BaseModel):
    """Tokens a row. `estimated` says that no tokenizer was there and bytes were counted."""

    tokenizer: str
    estimated: bool
    rows_measured: int
    total_tokens: int
    percentiles: dict[str, int]
    longest: int
    share_over_4k: float
    share_over_8k: float
    buckets: list[tuple[int, int]] = Field(default_factory=list[tuple[int, int]])
    """For the picture: (bound, measured rows with at most so many tokens and more than the bound before)."""
    longest_text: int = 0
    """Tokens of the longest row's texts alone, in any split: a chat template adds some, so it is at least so long."""
    engine_context: int | None = None
    """How many tokens the engine takes that serves this base model, if that is known."""
    share_over_engine: float | None = None


@dataclass(frozen=True)
class TokenCounter:
    """Counts the tokens of texts."""

    name: str
    tokenizer: Tokenizer | None

    @classmethod
    def of(cls, name: str, folder: str) -> "TokenCounter":
        """The tokenizer in a base model's folder; an estimate where there is none."""
        file = Path(folder) / "tokenizer.json"
        if not folder or not file.is_file():
            return cls(name, None)
        return cls(name, Tokenizer.from_file(str(file)))

    def count(self, texts: Sequence[str]) -> list[int]:
        if self.tokenizer is None:
            return [round(len(text.encode()) / _BYTES_PER_TOKEN) for text in texts]
        return [len(one.ids) for one in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def lengths(
    counter: TokenCounter,
    texts: Sequence[str],
    messages: Sequence[int],
    rows: int,
    largest: Sequence[str] = (),
    engine_context: int | None = None,
) -> Lengths:
    """Lengths of a sample of the `rows`; `messages` is how many messages each text was made of.

    `largest` are the texts of which one is the longest of all rows.
    """
    counted = np.array(counter.count(texts), dtype=np.int64) + _TOKENS_PER_MESSAGE * np.array(messages, dtype=np.int64)
    if not len(counted):
        counted = np.zeros(1, dtype=np.int64)
    longest_text = max(counter.count(largest), default=0)
    found = np.percentile(counted, PERCENTILES).tolist()
    return Lengths(
        tokenizer=counter.name,
        estimated=counter.tokenizer is None,
        rows_measured=len(texts),
        total_tokens=round(float(counted.mean()) * rows),
        percentiles={f"p{one}": round(value) for one, value in zip(PERCENTILES, found, strict=True)},
        longest=max(int(counted.max()), longest_text),
        longest_text=longest_text,
        engine_context=engine_context,
        share_over_engine=None if engine_context is None else float((counted > engine_context).mean()),
        share_over_4k=float((counted > 4096).mean()),
        share_over_8k=float((counted > 8192).mean()),
        buckets=_buckets(counted) if texts else [],
    )


def _buckets(counted: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Bounds grow by the root of two, so that every second one is a power of two."""
    steps = np.ceil(2 * np.log2(np.maximum(counted, 1))).astype(np.int64)
    first, last = int(steps.min()), int(steps.max())
    rows = np.bincount(steps - first, minlength=last - first + 1).tolist()
    return [(round(2 ** ((first + place) / 2)), count) for place, count in enumerate(rows)]

"""The items that people score: answers of one checkpoint to questions."""

import json
import random
from typing import Any

from pydantic import BaseModel, ConfigDict


class BadSamples(Exception):
    """An evaluation's samples cannot be read as the contract says."""


class UnknownItem(Exception):
    """The review has no such item."""


class Item(BaseModel):
    """One answer to be scored. `prompt` is the conversation up to the answer, as messages."""

    model_config = ConfigDict(frozen=True)

    id: str
    prompt: Any
    reference: str
    answer: str
    production_answer: str | None = None
    tags: tuple[str, ...] = ()


class StoredItem(BaseModel):
    """An item of a review; `id` is made of both ids."""

    model_config = ConfigDict(frozen=True)

    id: str
    review_id: str
    item: Item


def sample_items(samples: bytes, count: int, seed: int) -> tuple[Item, ...]:
    """At most `count` items drawn from an evaluation's samples, the same ones each time; raises `BadSamples`."""
    lines = [line for line in samples.splitlines() if line.strip()]
    # The draw is not secret: it only has to be the same each time.
    drawn = sorted(random.Random(seed).sample(range(len(lines)), min(count, len(lines))))  # noqa: S311
    if not drawn:
        raise BadSamples("the evaluation has no samples to score")
    return tuple(_item(number, lines[number]) for number in drawn)


def _item(number: int, line: bytes) -> Item:
    try:
        row = json.loads(line)
        return Item(
            id=f"item-{number + 1}",
            prompt=row["prompt"],
            reference=row["reference"],
            answer=row["answer"],
            production_answer=row.get("production_answer"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSamples(f"line {number + 1} of the samples is unusable: {type(error).__name__}: {error}") from None

"""Rows whose lengths are skewed as real ones are: most are short, a few are many times longer."""

import json
import random
from pathlib import Path
from typing import Any

_EXAMPLE = Path("examples/address-extraction/train.jsonl")
_BESIDE_THE_POINT = (
    "We moved in last spring and the garden is still a building site.",
    "Please do not leave it with the neighbours again.",
    "My sister orders from you as well and is very happy.",
    "The last parcel came two days late, but nothing was broken.",
)


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """`{"messages": [...]}` rows of the example; the user's turns grow by a log-normal number of sentences."""
    rng = random.Random(seed)
    made = [json.loads(line) for line in _EXAMPLE.read_text().splitlines()[:count]]
    for row in made:
        extra = min(40, round(rng.lognormvariate(0.5, 1.2)))
        row["messages"][1]["content"] += "".join(f" {rng.choice(_BESIDE_THE_POINT)}" for _ in range(extra))
    return made

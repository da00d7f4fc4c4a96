"""Ranking metrics. An answer is a JSON list of names, the best first, or names separated by commas or line ends.

A reference is a JSON object of each name's relevance, or a list of the relevant names. A repeated name counts at its
first place; a missing name counts as ranked last, with no gain.
"""

import json
import math
from collections.abc import Mapping

from services.evaluator.scoring.adapters.metrics.text import TextMetric
from services.evaluator.scoring.domain.item import CannotBeScored


class Ranking(TextMetric):
    """An item's value is that of its ranking; the score is the mean."""

    def item(self, answer: str, reference: str) -> float:
        return self.value([_gains(reference).get(name, 0.0) for name in _order(answer)], _gains(reference))

    def value(self, gains: list[float], known: Mapping[str, float]) -> float:
        """The value of a ranking; `gains` are those of the ranked names, in their order."""
        raise NotImplementedError


class Ndcg(Ranking):
    definition = "Sum of relevance / log2(place + 1), divided by that of the best order."
    source = "Järvelin and Kekäläinen 2002"

    def value(self, gains: list[float], known: Mapping[str, float]) -> float:
        best = _discounted(sorted(known.values(), reverse=True))
        return _discounted(gains) / best if best else 0.0


class Mrr(Ranking):
    definition = "1 / place of the first relevant name; 0 if there is none."
    source = "Voorhees 1999"

    def value(self, gains: list[float], known: Mapping[str, float]) -> float:
        return next((1 / place for place, gain in enumerate(gains, start=1) if gain > 0), 0.0)


class Map(Ranking):
    definition = "Mean over the relevant names of the precision at their place; 0 for a name that is missing."
    source = "Manning et al. 2008, section 8.4"

    def value(self, gains: list[float], known: Mapping[str, float]) -> float:
        places = [place for place, gain in enumerate(gains, start=1) if gain > 0]
        relevant = sum(gain > 0 for gain in known.values())
        return sum(nth / place for nth, place in enumerate(places, start=1)) / relevant if relevant else 0.0


def _discounted(gains: list[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def _order(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text.replace("\n", ",").replace("，", ",").split(",")
    listed = found if isinstance(found, list) else [found]
    return list(dict.fromkeys(name for each in listed if (name := str(each).strip())))


def _gains(reference: str) -> dict[str, float]:
    try:
        found = json.loads(reference)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and all(isinstance(v, int | float) and 0 <= v < 1e6 for v in found.values()):
        return {name.strip(): float(gain) for name, gain in found.items()}
    if isinstance(found, dict):
        raise CannotBeScored("bad_reference", f"relevances must be numbers of at least 0: {reference[:80]!r}")
    return dict.fromkeys(_order(reference), 1.0)

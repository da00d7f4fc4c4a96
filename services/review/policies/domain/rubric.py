"""A rubric: the criteria that people score, with weights, a scale and an anchor in words for each level."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from services.review.policies.domain.strict_model import StrictModel

NAME = r"^[a-z][a-z0-9_]{0,39}$"
Anchor = Annotated[str, Field(max_length=200)]


class BadScore(ValueError):
    """Scores that do not fit the rubric; the message names the criterion and what is allowed."""


class Criterion(StrictModel):
    """One criterion. `anchors` say what each level means, from the lowest to the highest."""

    name: str = Field(pattern=NAME)
    label: str = Field(default="", max_length=80)
    question: str = Field(default="", max_length=200)
    weight: int = Field(ge=0, le=100)
    """Percent of the whole score."""
    anchors: tuple[Anchor, ...] = Field(default=(), max_length=101)


ACCURACY = Criterion(
    name="accuracy",
    question="Are the facts and the rules right?",
    weight=40,
    anchors=("wrong, does harm", "mostly wrong", "half right", "nearly right", "all right"),
)
POLITENESS = Criterion(
    name="politeness",
    question="How would a customer feel?",
    weight=30,
    anchors=("rude", "curt", "neutral", "friendly", "warm, fitting"),
)
USEFULNESS = Criterion(
    name="usefulness",
    question="Is the problem solved?",
    weight=30,
    anchors=("no help", "little help", "helps in part", "mostly solved", "solved"),
)
_KNOWN = {each.name: each for each in (ACCURACY, POLITENESS, USEFULNESS)}


class Rubric(StrictModel):
    """Criteria whose weights sum to 100, all on one scale of whole numbers.

    `{"accuracy": 40, "politeness": 30, "usefulness": 30}` is short for these criteria on a scale from 1 to 5.
    """

    lowest: int = Field(default=1, ge=0, le=1)
    highest: int = Field(default=5, ge=2, le=100)
    criteria: tuple[Criterion, ...] = Field(default=(ACCURACY, POLITENESS, USEFULNESS), min_length=1, max_length=12)

    @model_validator(mode="before")
    @classmethod
    def _expand_weights(cls, given: Any) -> Any:
        if isinstance(given, dict) and given and all(isinstance(value, int) for value in given.values()):
            weights: dict[str, int] = given
            if not weights.keys() & {"lowest", "highest"}:
                return {"criteria": [_criterion(name, weight) for name, weight in weights.items()]}
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(each.weight for each in self.criteria) != 100:
            raise ValueError("the weights of a rubric must sum to 100")
        if len({each.name for each in self.criteria}) != len(self.criteria):
            raise ValueError("the criteria of a rubric must have different names")
        for each in self.criteria:
            if each.anchors and len(each.anchors) != len(self.levels):
                raise ValueError(f"{each.name} needs one anchor for each of the {len(self.levels)} levels, or none")
        return self

    @property
    def levels(self) -> range:
        """The scores that a criterion can have."""
        return range(self.lowest, self.highest + 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The criteria's names, in order."""
        return tuple(each.name for each in self.criteria)

    def check(self, points: Mapping[str, Any]) -> dict[str, int]:
        """The scores of all criteria; raises `BadScore` for one that is missing, unknown or off the scale."""
        if unknown := sorted(set(points) - set(self.names)):
            raise BadScore(f"unknown criterion {unknown[0]!r}; the criteria are {', '.join(self.names)}")
        return {name: self._level(name, points.get(name)) for name in self.names}

    def percent(self, points: Mapping[str, float]) -> float:
        """The weighted score from 0 (all lowest) to 100 (all highest)."""
        span = self.highest - self.lowest
        return sum(each.weight * (points[each.name] - self.lowest) / span for each in self.criteria)

    def _level(self, name: str, value: Any) -> int:
        # A bool is an int in Python, and neither true nor "5" nor 5.0 is a level.
        if type(value) is not int or value not in self.levels:
            shown = "missing" if value is None else f"{value!r}"[:40]
            raise BadScore(f"{name}: must be a whole number from {self.lowest} to {self.highest}, not {shown}")
        return value


def _criterion(name: str, weight: int) -> dict[str, Any]:
    known = _KNOWN.get(name)
    return {**(known.model_dump() if known else {"name": name}), "weight": weight}

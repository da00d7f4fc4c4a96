"""The rubric by which a judge rates: that of the job's policy, so that it rates as people do."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class Criterion(BaseModel):
    """One criterion; `weight` is in percent. `anchors` say what each level means, from the lowest to the highest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    question: str = ""
    weight: int
    anchors: tuple[str, ...] = ()


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


class Rubric(BaseModel):
    """Criteria whose weights sum to 100, all on one scale of whole numbers. The default is that of shipped policies."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    lowest: int = 1
    highest: int = 5
    criteria: tuple[Criterion, ...] = Field(default=(ACCURACY, POLITENESS, USEFULNESS), min_length=1)

    @property
    def counted(self) -> tuple[Criterion, ...]:
        """The criteria that weigh anything; the judge is asked for these."""
        return tuple(each for each in self.criteria if each.weight)

    def value(self, points: Mapping[str, int]) -> float:
        """The weighted rating from 0 (all points the lowest) to 1 (all the highest)."""
        span = self.highest - self.lowest
        return sum(each.weight * (points[each.name] - self.lowest) for each in self.counted) / span / 100

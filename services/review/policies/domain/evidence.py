"""What people's scores amount to, as a verdict needs it."""

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Interval


class Agreement(BaseModel):
    """Krippendorff's alpha of one criterion; None where it is undefined. `raw` is the share of equal pairs."""

    model_config = ConfigDict(frozen=True)

    alpha: float | None
    interval: Interval | None = None
    raw: float | None = None
    n: int = Field(ge=0)
    """Items that at least two reviewers scored."""


class HumanEvidence(BaseModel):
    """People's scores over all items: `score` is from 0 to 100, `criteria` are means on the rubric's scale."""

    model_config = ConfigDict(frozen=True)

    items: int = Field(ge=1)
    missing: int = Field(default=0, ge=0)
    """Scores that were wanted and not given by the deadline."""
    reviewers: int = Field(ge=1)
    score: float
    interval: Interval | None = None
    criteria: dict[str, float]
    agreement: dict[str, Agreement] = Field(default_factory=dict)


class Override(BaseModel):
    """A decision by a person that replaces the verdict. `at` is in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    approved: bool
    by: str
    reason: str = Field(min_length=3, max_length=2000)
    at: int = Field(ge=0)

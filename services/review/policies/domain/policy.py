"""A policy: the gates a checkpoint must pass and how people are asked, all of it data."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.review.policies.domain.gate import Gate
from services.review.policies.domain.rubric import NAME, Rubric
from services.review.policies.domain.strict_model import StrictModel

Mode = Literal["automatic", "human", "hybrid"]
EVERYBODY = "*"
POLICY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Person = Annotated[str, Field(min_length=1, max_length=128)]


class PolicyContent(StrictModel):
    """A policy as people write it.

    `automatic`: the gates decide. `human`: people decide over the best checkpoint. `hybrid`: people decide over what
    passed the gates. `rank_by` names the metric by which one of several checkpoints is chosen.
    """

    mode: Mode
    gates: tuple[Gate, ...] = Field(default=(), max_length=30)
    rank_by: str = Field(default="exact_match", min_length=1, max_length=64)

    questions: str | None = Field(default=None, pattern=POLICY_NAME)
    """The question set that people score; None for answers drawn from the evaluation."""
    items_per_review: int = Field(default=20, ge=1, le=1000)
    reviewers_wanted: int = Field(default=2, ge=1, le=50)
    """How many reviewers score each item."""
    rubric: Rubric = Rubric()
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    human_score_at_least: float = Field(default=70, ge=0, le=100)
    criterion_at_least: dict[Annotated[str, Field(pattern=NAME)], float] = Field(default_factory=dict)
    """The least mean of single criteria, on the rubric's scale."""

    agreement_at_least: float | None = Field(default=None, ge=-1, le=1)
    """The least Krippendorff's alpha of each criterion; below it the outcome is "undecided"."""
    agreement_level: Literal["nominal", "ordinal", "interval"] = "ordinal"
    undefined_agreement: Literal["accept", "undecided"] = "accept"
    """What follows when all scores of a criterion are equal, so that alpha is undefined."""
    adjudicate_from: int | None = Field(default=None, ge=1, le=100)
    """The difference between scores of one item, in points, from which a further person decides."""

    adjudicators: tuple[Person, ...] = Field(default=(), max_length=100)
    """Who decides about items on which reviewers differ, beside `admin`; empty for every reviewer."""

    calibration: str | None = Field(default=None, pattern=POLICY_NAME)
    """The question set with known scores that each reviewer scores first."""
    calibration_tolerance: float = Field(default=1.0, ge=0, le=100)
    """The largest mean distance from the known scores, in points, with which a reviewer may begin."""
    control_items: int = Field(default=0, ge=0, le=50)
    """How many items each reviewer scores a second time, to measure consistency; the repeats do not count."""
    lease_s: int = Field(default=1800, ge=1, le=7 * 86400)
    deadline_hours: float | None = Field(default=None, gt=0, le=24 * 365)

    own_job: bool = True
    """Whether the owner of a job may score, adjudicate and override its review."""
    overriders: tuple[Person, ...] = Field(default=(), max_length=100)
    """Who may override a verdict with a reason, beside `admin`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mode != "human" and not self.gates:
            raise ValueError(f"a policy of mode {self.mode} needs at least one gate")
        if unknown := sorted(set(self.criterion_at_least) - set(self.rubric.names)):
            raise ValueError(f"criterion_at_least names {unknown[0]!r}, which the rubric does not have")
        return self


class Policy(PolicyContent):
    """One revision of a policy; shipped policies are revision 0. `created_at` is in Unix seconds."""

    name: str = Field(pattern=POLICY_NAME)
    revision: int = Field(default=0, ge=0)
    author: str = Field(default="", max_length=128)
    created_at: int = Field(default=0, ge=0)

    @property
    def content(self) -> PolicyContent:
        """What was written, without name, author and time."""
        return PolicyContent.model_validate(self.model_dump(include=set(PolicyContent.model_fields)))

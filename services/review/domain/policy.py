"""A policy: the gates a checkpoint must pass and how people are asked, all of it data."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.events import EvalDone, RuleOutcome, Score


class Data(BaseModel):
    """Data that people write: unknown names are errors, infinities and NaN are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Gate(Data):
    """One demand on one metric; exactly one of the three is given.

    `better_than_base` is the margin by which the figure must exceed the base model's, more than which it must be.
    """

    metric: str = Field(min_length=1, max_length=64)
    at_least: float | None = None
    at_most: float | None = None
    better_than_base: float | None = None

    @model_validator(mode="after")
    def _exactly_one_demand(self) -> Self:
        if sum(x is not None for x in (self.at_least, self.at_most, self.better_than_base)) != 1:
            raise ValueError("a gate has exactly one of at_least, at_most and better_than_base")
        return self

    def judge(self, evaluation: EvalDone) -> RuleOutcome:
        """Whether an evaluation passes. A metric that was not measured does not."""
        figure, base = _figure(evaluation.scores, self.metric), _figure(evaluation.base_scores, self.metric)
        if self.at_least is not None:
            return self._outcome("at_least", figure, self.at_least, "≥", self.at_least)
        if self.at_most is not None:
            return self._outcome("at_most", figure, self.at_most, "≤", self.at_most)
        assert self.better_than_base is not None
        limit = None if base is None else base + self.better_than_base
        return self._outcome("better_than_base", figure, limit, ">", self.better_than_base)

    def _outcome(self, demand: str, figure: float | None, limit: float | None, sign: str, asked: float) -> RuleOutcome:
        rule = f"{self.metric} {demand} {asked:g}"
        if figure is None or limit is None:
            whose = "the checkpoint" if figure is None else "the base model"
            reason = f"{self.metric} was not measured for {whose}"
            return RuleOutcome(rule=rule, figure=figure, limit=limit, passed=False, reason=reason)
        passed = {"≥": figure >= limit, "≤": figure <= limit, ">": figure > limit}[sign]
        shown = sign if passed else {"≥": "<", "≤": ">", ">": "≤"}[sign]
        reason = f"{self.metric} {figure:.2f} {shown} {limit:.2f}"
        if f"{figure:.2f}" == f"{limit:.2f}" and figure != limit:
            reason = f"{self.metric} {figure:.6g} {shown} {limit:.6g}"
        if demand == "better_than_base":
            reason += " of the base model" + (f" and {asked:g} more" if asked else "")
        return RuleOutcome(rule=rule, figure=figure, limit=limit, passed=passed, reason=reason)


class Rubric(Data):
    """What each criterion weighs, in percent; together 100."""

    accuracy: int = Field(default=40, ge=0, le=100)
    politeness: int = Field(default=30, ge=0, le=100)
    usefulness: int = Field(default=30, ge=0, le=100)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.accuracy + self.politeness + self.usefulness != 100:
            raise ValueError("the weights of a rubric add up to 100")
        return self


class PolicyContent(Data):
    """A policy as people write it. In mode `hybrid` people score what passed the gates.

    `rank_by` names the metric by which one of several good checkpoints is chosen.
    """

    mode: Literal["automatic", "hybrid"]
    gates: tuple[Gate, ...] = Field(min_length=1, max_length=50)
    rank_by: str = Field(default="exact_match", min_length=1, max_length=64)
    items_per_review: int = Field(default=20, ge=1, le=1000)
    reviewers_wanted: int = Field(default=2, ge=1, le=50)
    human_score_at_least: float = Field(default=70, ge=0, le=100)
    rubric: Rubric = Rubric()
    seed: int = 0


class Policy(PolicyContent):
    """A policy under its name; the ones that Assay ships are revision 0, each change is the next."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    revision: int = Field(default=0, ge=0)

    def judge(self, evaluation: EvalDone) -> tuple[RuleOutcome, ...]:
        """Each gate's outcome; an evaluation that failed passes none and says why."""
        if evaluation.error is not None:
            reason = f"could not be evaluated: {evaluation.error.message}"
            return (RuleOutcome(rule="evaluated", figure=None, limit=None, passed=False, reason=reason),)
        return tuple(gate.judge(evaluation) for gate in self.gates)


def _figure(scores: dict[str, Score], metric: str) -> float | None:
    score = scores.get(metric)
    return score.value if score is not None and score.n > 0 else None

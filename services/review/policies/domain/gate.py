"""A gate: one demand on one metric of an evaluation."""

from typing import Literal, Self

from pydantic import Field, model_validator

from services.review.policies.domain.strict_model import StrictModel
from shared.events import Comparison, EvalDone, RuleOutcome, Score
from shared.small_samples import limits_of

Yardstick = Literal["base", "production"]
DEMANDS = (
    "at_least",
    "at_most",
    "better_than_base",
    "better_than_production",
    "not_worse_than_base",
    "not_worse_than_production",
)


class Gate(StrictModel):
    """Exactly one of the six demands is given.

    `better_than_…`: figure > yardstick + margin. With `by_test` the evaluator's paired test must also say "better".
    `not_worse_than_…`: the paired test's interval lies above -margin.
    A metric over fewer than `least_n` items does not pass.
    """

    metric: str = Field(min_length=1, max_length=64)
    at_least: float | None = None
    at_most: float | None = None
    better_than_base: float | None = None
    better_than_production: float | None = None
    not_worse_than_base: float | None = Field(default=None, ge=0)
    not_worse_than_production: float | None = Field(default=None, ge=0)
    by_test: bool = False
    least_n: int = Field(default=1, ge=1, le=10**6)

    @model_validator(mode="after")
    def _exactly_one_demand(self) -> Self:
        if sum(getattr(self, name) is not None for name in DEMANDS) != 1:
            raise ValueError(f"a gate must have exactly one of {', '.join(DEMANDS)}")
        return self

    @property
    def demand(self) -> str:
        """Which of the six demands this gate makes."""
        return next(name for name in DEMANDS if getattr(self, name) is not None)

    @property
    def limit(self) -> float:
        """The figure or margin that was given with the demand."""
        return getattr(self, self.demand)

    @property
    def rule(self) -> str:
        """The rule in words, as a verdict names it."""
        return f"{self.metric} {self.demand} {self.limit:g}{' by test' if self.by_test else ''}"

    def applies(self, evaluation: EvalDone) -> bool:
        """False for a gate against production while no version of the name is in production."""
        return not self.demand.endswith("production") or evaluation.production is not None

    def judge(self, evaluation: EvalDone) -> RuleOutcome:
        """Whether an evaluation passes. A metric that was not measured does not pass."""
        score = evaluation.scores.get(self.metric)
        if score is None or score.n == 0:
            return self._failed(None, f"{self.metric} was not measured for the checkpoint{self._why(evaluation)}")
        if score.n < self.least_n:
            return self._failed(score.value, self._too_few("measured", score.n))
        if self.demand in ("at_least", "at_most"):
            return self._absolute(score.value)
        yardstick: Yardstick = "base" if self.demand.endswith("base") else "production"
        comparison = next(
            (each for each in evaluation.comparisons if (each.metric, each.against) == (self.metric, yardstick)), None
        )
        if self.demand.startswith("not_worse"):
            return self._not_worse(score.value, comparison, yardstick)
        others = evaluation.base_scores if yardstick == "base" else evaluation.production_scores
        return self._better(score.value, others.get(self.metric), comparison, yardstick)

    def _too_few(self, what: str, n: int) -> str:
        limits = limits_of(n)
        return f"{self.metric} was {what} on {n} items, needs {self.least_n}" + (f": {limits}" if limits else "")

    def _why(self, evaluation: EvalDone) -> str:
        """The failed tasks that the metric needs: its own task, or those of its suite."""
        place = self.metric.rpartition(".")[0]
        failed = [
            f"{name}: {failure.message}"
            for name, failure in evaluation.task_errors.items()
            if place and (name == place or name.startswith(f"{place}."))
        ]
        return f" ({'; '.join(failed)})" if failed else ""

    def _absolute(self, figure: float) -> RuleOutcome:
        passed = figure >= self.limit if self.demand == "at_least" else figure <= self.limit
        sign = ("≥" if passed else "<") if self.demand == "at_least" else ("≤" if passed else ">")
        shown, limit = _distinguishable(figure, self.limit)
        return self._outcome(figure, self.limit, passed, f"{self.metric} {shown} {sign} {limit}")

    def _better(self, figure: float, other: Score | None, test: Comparison | None, yardstick: Yardstick) -> RuleOutcome:
        if other is None or other.n == 0:
            return self._failed(figure, f"{self.metric} was not measured for {_NAMED[yardstick]}")
        limit = other.value + self.limit
        shown, against = _distinguishable(figure, limit)
        passed = figure > limit
        reason = f"{self.metric} {shown} {'>' if passed else '≤'} {against} of {_NAMED[yardstick]}"
        reason += f" and {self.limit:g} more" if self.limit else ""
        if not self.by_test:
            return self._outcome(figure, limit, passed, reason)
        if test is None:
            return self._failed(figure, f"{self.metric} has no paired test against {_NAMED[yardstick]}")
        if test.n < self.least_n:
            return self._failed(figure, self._too_few("compared", test.n))
        explanation = (
            f"{reason}; paired test on {test.n} items: {test.verdict.replace('_', ' ')} (p = {test.p_adjusted:.3g})"
        )
        return self._outcome(figure, limit, passed and test.verdict == "better", explanation)

    def _not_worse(self, figure: float, test: Comparison | None, yardstick: Yardstick) -> RuleOutcome:
        if test is None or test.n < self.least_n:
            found = "no paired test" if test is None else f"a paired test on {test.n} items, needs {self.least_n},"
            return self._failed(figure, f"{self.metric} has {found} against {_NAMED[yardstick]}")
        low = test.interval.low
        passed = low > -self.limit
        shown, limit = _distinguishable(low, -self.limit)
        reason = f"{self.metric}: the interval of the difference to {_NAMED[yardstick]} begins at {shown} "
        return self._outcome(low, -self.limit, passed, f"{reason}{'>' if passed else '≤'} {limit}")

    def _failed(self, figure: float | None, reason: str) -> RuleOutcome:
        limit = self.limit if self.demand in ("at_least", "at_most") else None
        return self._outcome(figure, limit, False, reason)

    def _outcome(self, figure: float | None, limit: float | None, passed: bool, reason: str) -> RuleOutcome:
        return RuleOutcome(rule=self.rule, figure=figure, limit=limit, passed=passed, reason=reason)


_NAMED = {"base": "the base model", "production": "the version in production"}


def _distinguishable(figure: float, limit: float) -> tuple[str, str]:
    """Both with two decimals, or with more where they would look alike."""
    digits = ".2f" if f"{figure:.2f}" != f"{limit:.2f}" or figure == limit else ".6g"
    return format(figure, digits), format(limit, digits)

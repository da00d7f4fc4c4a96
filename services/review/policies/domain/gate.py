"""A gate: one demand on one metric of an evaluation."""

from typing import Literal, Self

from pydantic import Field, model_validator

from services.review.policies.domain.rule_words import exactly, interval_words, p_words
from services.review.policies.domain.strict_model import StrictModel
from shared.events import Comparison, EvalDone, Interval, RuleOutcome, Score
from shared.rule_figures import figure_words
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
        if self.yardstick is None:
            return f"{self.metric} {self.demand.replace('_', ' ')} {self.limit:g}"
        other, size = _NAMED[self.yardstick], f"{abs(self.limit):g}"
        if self.demand.startswith("not_worse"):
            words = f"less than {size} worse than {other}" if self.limit else f"not worse than {other}"
        elif self.limit > 0:
            words = f"more than {size} better than {other}"
        else:
            words = f"less than {size} worse than {other}" if self.limit else f"better than {other}"
        tested = self.by_test or self.demand.startswith("not_worse")
        return f"{self.metric} {words}{', by the paired test' if tested else ''}"

    @property
    def yardstick(self) -> Yardstick | None:
        """What the checkpoint is compared with; None where its own figure decides."""
        if self.demand in ("at_least", "at_most"):
            return None
        return "base" if self.demand.endswith("base") else "production"

    def applies(self, evaluation: EvalDone) -> bool:
        """False for a gate against production while no version of the name is in production."""
        return not self.demand.endswith("production") or evaluation.production is not None

    def judge(self, evaluation: EvalDone) -> RuleOutcome:
        """Whether an evaluation passes. A metric that was not measured does not pass."""
        score = evaluation.scores.get(self.metric)
        if score is None or score.n == 0:
            return self._failed(None, f"{self.metric} was not measured for the checkpoint{self._why(evaluation)}")
        if score.n < self.least_n:
            return self._failed(score.value if self.yardstick is None else None, self._too_few("measured", score.n))
        if self.yardstick is None:
            return self._absolute(score, evaluation.intervals.get(self.metric))
        compared = (self.metric, self.yardstick)
        test = next((each for each in evaluation.comparisons if (each.metric, each.against) == compared), None)
        if self.demand.startswith("not_worse"):
            return self._not_worse(test)
        others = evaluation.base_scores if self.yardstick == "base" else evaluation.production_scores
        return self._better(score, others.get(self.metric), test, _NAMED[self.yardstick])

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

    def _absolute(self, score: Score, interval: Interval | None) -> RuleOutcome:
        figure, least = score.value, self.demand == "at_least"
        passed = figure >= self.limit if least else figure <= self.limit
        words = [exactly(figure, self.limit), f"n {score.n}"]
        if interval:
            beyond = interval.low < self.limit if least else interval.high > self.limit
            words.append(interval_words(interval) + _reaching("below" if least else "above", passed and beyond))
        return self._outcome(figure, self.limit, passed, words)

    def _better(self, score: Score, other: Score | None, test: Comparison | None, yardstick: str) -> RuleOutcome:
        if other is None or other.n == 0:
            return self._failed(None, f"{self.metric} was not measured for {yardstick}")
        difference = score.value - other.value
        if self.by_test and (test is None or test.n < self.least_n):
            return self._failed(difference, self._no_test(test))
        passed = score.value > other.value + self.limit and (not self.by_test or _says_better(test))
        words = [exactly(difference, self.limit), f"{figure_words(score.value)} against {figure_words(other.value)}"]
        words += [f"n {score.n}"] if test is None else _test_words(test, self.limit)
        if test is not None and self.by_test:
            words.append(_FOUND[test.verdict] + p_words(test.p_adjusted))
        return self._outcome(difference, self.limit, passed, words)

    def _not_worse(self, test: Comparison | None) -> RuleOutcome:
        if test is None or test.n < self.least_n:
            return self._failed(test.difference if test else None, self._no_test(test))
        return self._outcome(
            test.difference, -self.limit, test.interval.low > -self.limit, _test_words(test, -self.limit)
        )

    def _no_test(self, test: Comparison | None) -> str:
        return f"no paired test on {self.metric} was made" if test is None else self._too_few("compared", test.n)

    def _failed(self, figure: float | None, reason: str) -> RuleOutcome:
        limit = -self.limit if self.demand.startswith("not_worse") else self.limit
        return self._outcome(figure, limit, False, [reason])

    def _outcome(self, figure: float | None, limit: float, passed: bool, words: list[str]) -> RuleOutcome:
        reason, compares = ", ".join(filter(None, words)), self.yardstick is not None
        return RuleOutcome(
            rule=self.rule, figure=figure, limit=limit, passed=passed, reason=reason, is_difference=compares
        )


_NAMED = {"base": "the base model", "production": "the version in production"}
_FOUND = {"better": "", "no_difference": "the test finds no difference, ", "worse": "the test finds it worse, "}


def _says_better(test: Comparison | None) -> bool:
    return test is not None and test.verdict == "better"


def _test_words(test: Comparison, limit: float) -> list[str]:
    reaches = test.interval.low <= limit < test.difference
    return [f"n {test.n}", interval_words(test.interval, signed=True) + _reaching("below", reaches)]


def _reaching(where: Literal["below", "above"], reaches: bool) -> str:
    return f", which reaches {where} the limit" if reaches else ""

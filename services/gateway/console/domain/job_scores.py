"""The scores of a job's checkpoints by one metric, beside the base model and production."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.console.domain.best_score import leading_metric
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from shared.events import Comparison, EvalDone, Interval, Score


@dataclass(frozen=True)
class ScoreRow:
    """One checkpoint; `score` is None while it was not scored, `compared` where no paired test was made."""

    step: int
    model_name: str
    score: Score | None
    interval: Interval | None
    compared: Comparison | None
    general: float | None
    valid_loss: float | None


@dataclass(frozen=True)
class JobScores:
    """All checkpoints by step. `metric` is None as long as nothing was scored."""

    metric: str | None
    rows: Sequence[ScoreRow]
    base: Score | None
    base_interval: Interval | None
    production: Score | None
    split: str
    """The split whose questions were asked; empty where the metric is of a suite."""
    against: str
    """What the paired tests compare with: `production` where there is one, else `base`."""

    @property
    def scored(self) -> list[ScoreRow]:
        return [row for row in self.rows if row.score and row.interval]

    @property
    def best(self) -> ScoreRow | None:
        """The highest score; of equal ones the earliest."""
        return max(self.scored, key=lambda row: (row.score.value if row.score else 0, -row.step), default=None)


def job_scores(checkpoints: Sequence[Checkpoint], wanted: str = "") -> JobScores:
    """Scores by the metric that stands for the job: the `wanted` one where it was measured."""
    done = [found for checkpoint in checkpoints for found in checkpoint.evals.values()]
    metric = leading_metric({name for found in done for name in found.intervals}, wanted)
    measured = [found for found in done if metric in found.scores] if metric else []
    last = measured[-1] if measured else None
    rivals = {comparison.against for found in measured for comparison in found.comparisons}
    against = "production" if "production" in rivals else "base"
    return JobScores(
        metric=metric,
        rows=[_row(checkpoint, metric or "", against) for checkpoint in checkpoints],
        base=last.base_scores.get(metric or "") if last else None,
        base_interval=last.base_intervals.get(metric or "") if last else None,
        production=last.production_scores.get(metric or "") if last else None,
        split=last.split if last and metric and "." not in metric else "",
        against=against,
    )


def _row(checkpoint: Checkpoint, metric: str, against: str) -> ScoreRow:
    found: EvalDone | None = next((e for e in checkpoint.evals.values() if metric in e.scores), None)
    general = found.scores.get("general.score") if found else None
    tests = [c for c in found.comparisons if (c.metric, c.against) == (metric, against)] if found else []
    return ScoreRow(
        step=checkpoint.step,
        model_name=checkpoint.model_name,
        score=found.scores.get(metric) if found else None,
        interval=found.intervals.get(metric) if found else None,
        compared=tests[0] if tests else None,
        general=general.value if general and metric != "general.score" else None,
        valid_loss=checkpoint.metrics.valid_loss if checkpoint.metrics else None,
    )

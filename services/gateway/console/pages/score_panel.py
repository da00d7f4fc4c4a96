"""The scores of checkpoints over the steps, as a picture."""

from collections.abc import Mapping

from markupsafe import Markup

from services.gateway.console.domain.job_scores import JobScores, ScoreRow
from shared.pages.run_panel import RunPanel, round_ticks


def score_panel(scores: JobScores, total_steps: int, words: Mapping[str, str]) -> Markup:
    """A mark with a whisker for each checkpoint, the base model dashed with its band, production dotted."""
    low, high = _range(scores)
    panel = RunPanel(total_steps, low, high, top=38, bottom=206)
    panel.grid(round_ticks(low, high))
    _yardsticks(panel, scores, words)
    points = [(row.step, row.score.value) for row in scores.scored if row.score]
    panel.line(points, "cand", 2)
    for row in scores.scored:
        _mark(panel, row, row is scores.best)
    panel.note(words["measured"])
    if scores.best and scores.best.score:
        best = scores.best.score
        panel.label(best.value, "cand", scores.metric or "", f"{best.value:.3f} {words['best']}, n {best.n}")
    best_step = scores.best.step if scores.best else None
    panel.axis([0, total_steps, *(row.step for row in scores.rows)], best_step, unit=words["steps"])
    return panel.svg(words["title"], words["description"], "scores")


def _yardsticks(panel: RunPanel, scores: JobScores, words: Mapping[str, str]) -> None:
    if scores.base:
        if scores.base_interval:
            panel.band(scores.base_interval.low, scores.base_interval.high, "base")
        panel.level(scores.base.value, "base", 'stroke-dasharray="6 4"')
        panel.label(scores.base.value, "base", words["base"], f"{scores.base.value:.3f}, n {scores.base.n}")
    if scores.production:
        panel.level(scores.production.value, "prod", 'stroke-dasharray="1.5 3.5" stroke-linecap="round"')
        figures = f"{scores.production.value:.3f}, n {scores.production.n}"
        panel.label(scores.production.value, "prod", words["production"], figures)


def _mark(panel: RunPanel, row: ScoreRow, best: bool) -> None:
    assert row.score is not None
    assert row.interval is not None
    panel.whisker(row.step, row.score.value, row.interval.low, row.interval.high, "cand", ring=best)


def _range(scores: JobScores) -> tuple[float, float]:
    """All figures with their intervals, with some room; within 0 and 1 where they are shares."""
    values = [edge for row in scores.scored if row.interval for edge in (row.interval.low, row.interval.high)]
    values += [score.value for score in (scores.base, scores.production) if score]
    low, high = min(values), max(values)
    room = max(0.1 * (high - low), 0.02)
    return (max(low - room, 0.0) if low >= 0 else low - room, min(high + room, 1.0) if high <= 1 else high + room)

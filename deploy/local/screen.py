"""Tables, panels and a one-line curve for the demo."""

from typing import Any

from openai.types.fine_tuning import FineTuningJob
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from shared.events import RuleOutcome
from shared.rule_figures import rule_sentence

_BARS = "▁▂▃▄▅▆▇█"
_FIGURES = {
    "step": "step",
    "total_steps": "of",
    "train_loss": "loss",
    "train_mean_token_accuracy": "token accuracy",
    "valid_loss": "validation loss",
    "tokens_per_s": "tokens/s",
}


def progress(
    job: FineTuningJob, elapsed_s: float, metrics: dict[str, Any], losses: list[float], messages: list[str]
) -> Group:
    """A running job: newest figures, loss so far, last messages."""
    table = Table(header_style="bold")
    for title in ("status", *_FIGURES.values(), "elapsed"):
        table.add_column(title, justify="right")
    table.add_row(job.status, *[_number(metrics.get(name)) for name in _FIGURES], f"{elapsed_s:.0f} s")
    curve = Text("loss  ", style="bold").append(sparkline(losses), style="cyan")
    return Group(table, curve, *[Text(f"· {message}", style="dim") for message in messages])


def sparkline(values: list[float], width: int = 60) -> str:
    """A curve in one line of text: at most `width` means of neighbouring values, scaled to their range."""
    if not values:
        return ""
    size = -(-len(values) // width)
    means = [sum(part) / len(part) for part in (values[i : i + size] for i in range(0, len(values), size))]
    low, span = min(means), (max(means) - min(means)) or 1.0
    bars = "".join(_BARS[round((mean - low) / span * (len(_BARS) - 1))] for mean in means)
    return f"{bars}  {values[0]:.2f} → {values[-1]:.2f}"


def scores(report: dict[str, Any]) -> Table:
    """Base model and checkpoints side by side, one row per metric."""
    table = Table(title="Scores of the checkpoints", header_style="bold")
    for title in ("metric", "base", *(f"step {checkpoint['step']}" for checkpoint in report["checkpoints"])):
        table.add_column(title, justify="left" if title == "metric" else "right")
    for metric, score in report["base_scores"].items():
        cells = [_score(checkpoint["scores"].get(metric)) for checkpoint in report["checkpoints"]]
        table.add_row(f"{metric.replace('_', ' ')} (n={score['n']})", _score(score), *cells)
    return table


def verdict(report: dict[str, Any]) -> Panel:
    """The decision with its rules."""
    decided = report["verdict"]
    if decided is None:
        return Panel("no verdict yet", title="Verdict")
    rules = [RuleOutcome.model_validate(rule) for rule in decided["rules"]]
    lines = [f"{'✓' if rule.passed else '✗'} {rule_sentence(rule)}" for rule in rules]
    heading = (
        f"step {report['step']}: {'approved' if decided['approved'] else 'rejected'} by policy {decided['policy']}"
    )
    return Panel("\n".join([heading, *lines]), title="Verdict", border_style="green" if decided["approved"] else "red")


def swap(report: dict[str, Any], models: list[str], sent: int, failures: list[str]) -> Panel:
    """How long the deployment took, and how many background requests failed."""
    deployment = report["deployment"]
    lines = [
        f"{deployment['version']}: loaded, checked with a real request and live {deployment['duration_s']:.2f} s "
        "after its approval",
        f"background load on {' and '.join(models)}: {sent} requests, {len(failures)} failed",
        *failures[:5],
    ]
    return Panel("\n".join(lines), title="Deployment", border_style="red" if failures else "green")


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) and value < 100 else f"{value:.0f}"


def _score(score: dict[str, Any] | None) -> str:
    return "" if score is None else f"{score['value']:.1%}"

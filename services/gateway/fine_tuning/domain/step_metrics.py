"""The metrics of a job's steps, as the CSV of OpenAI's result files."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

_COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_mean_token_accuracy",
}
"""The names of the columns, and of the figures in them."""


def step_metrics_csv(metrics: Iterable[Mapping[str, Any]]) -> bytes:
    """One line for each step, by number. A missing figure is empty; of a step's repeated figures the last counts."""
    steps: dict[int, dict[str, Any]] = {}
    for figures in metrics:
        steps.setdefault(figures["step"], {}).update({n: v for n, v in figures.items() if v is not None})
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for _, figures in sorted(steps.items()):
        writer.writerow([figures.get(name, "") for name in _COLUMNS.values()])
    return target.getvalue().encode()

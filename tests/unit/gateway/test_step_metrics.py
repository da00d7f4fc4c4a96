"""The CSV of a job's step metrics."""

import csv
import io

from services.gateway.fine_tuning.domain.step_metrics import step_metrics_csv

HEADER = ["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"]


def test_each_step_is_one_line_with_the_columns_of_openai() -> None:
    metrics = [
        {"step": 10, "train_loss": 0.5, "train_mean_token_accuracy": 0.75, "learning_rate": 1e-3},
        {"step": 2, "train_loss": 2.5},
        {"step": 10, "train_loss": None, "valid_loss": 0.6, "valid_mean_token_accuracy": 0.7},
    ]
    lines = list(csv.reader(io.StringIO(step_metrics_csv(metrics).decode())))
    assert lines == [HEADER, ["2", "2.5", "", "", ""], ["10", "0.5", "0.75", "0.6", "0.7"]]


def test_a_step_that_was_repeated_after_a_crash_has_its_later_figures() -> None:
    lines = step_metrics_csv([{"step": 1, "train_loss": 3.0}, {"step": 1, "train_loss": 2.0}]).decode().splitlines()
    assert lines[1:] == ["1,2.0,,,"]

"""Prometheus metrics of running jobs."""

from prometheus_client import REGISTRY

from services.trainer.service.run_metrics import RunMetrics
from shared.events import TrainingMetrics


def seen(name: str, job_id: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"job_id": job_id})


def test_a_running_job_has_its_newest_metrics_and_an_ended_one_has_none() -> None:
    figures = RunMetrics()
    figures.update("a", TrainingMetrics(step=3, train_loss=1.5, valid_loss=2.0))
    # A second application uses the same gauges; a step without validation keeps the last validation loss.
    again = RunMetrics()
    again.update("a", TrainingMetrics(step=4, train_loss=1.25))
    figures.update("b", TrainingMetrics(step=1, train_loss=3.0))
    assert seen("assay_training_loss_nats", "a") == 1.25
    assert seen("assay_training_validation_loss_nats", "a") == 2.0
    figures.remove("a")
    assert seen("assay_training_loss_nats", "a") is None
    assert seen("assay_training_loss_nats", "b") == 3.0
    figures.remove("a")

"""Prometheus metrics of running jobs, labelled by job; a job that has ended has none."""

from collections.abc import Mapping
from functools import cache

from prometheus_client import Gauge

from shared.events import TrainingMetrics

_GAUGES: Mapping[str, tuple[str, str]] = {
    "step": ("assay_training_step", "Optimizer steps done"),
    "train_loss": ("assay_training_loss_nats", "Loss of the newest step, in nats per answer token"),
    "valid_loss": ("assay_training_validation_loss_nats", "Newest loss on the validation split"),
    "learning_rate": ("assay_training_learning_rate", "Learning rate of the newest step"),
    "grad_norm": ("assay_training_gradient_norm", "Norm of the newest step's gradient"),
    "tokens_per_s": ("assay_training_tokens_per_second", "Tokens per second that the newest step read"),
    "memory_bytes": ("assay_training_memory_bytes", "Memory in use by the training process or on its GPU"),
}


class RunMetrics:
    """One gauge for each figure, labelled with the job's id."""

    def __init__(self) -> None:
        self._gauges = _gauges()

    def update(self, job_id: str, metrics: TrainingMetrics) -> None:
        for figure, value in metrics.model_dump(include=set(self._gauges), exclude_none=True).items():
            self._gauges[figure].labels(job_id).set(value)

    def remove(self, job_id: str) -> None:
        for gauge in self._gauges.values():
            gauge.remove_by_labels({"job_id": job_id})


@cache
def _gauges() -> Mapping[str, Gauge]:
    # A name can be registered once in a process, but tests build the application several times.
    return {figure: Gauge(name, about, ["job_id"]) for figure, (name, about) in _GAUGES.items()}

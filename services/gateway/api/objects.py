"""Views in the shape of OpenAI's objects."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from services.gateway.domain.files import describe
from services.gateway.domain.names import ORGANIZATION
from services.gateway.domain.pages import Page
from services.gateway.ports import (
    AuditView,
    CheckpointView,
    DeliveryView,
    DeploymentView,
    FileView,
    JobView,
    MessageView,
    WebhookView,
)
from shared.events import Hyperparameters, Score, TrainingFinished
from shared.store import Entity

T = TypeVar("T", bound=Entity)
_CHECKPOINT_FIGURES = (
    *("step", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy"),
    *("full_valid_loss", "full_valid_mean_token_accuracy"),
)


def listing(page: Page[T], shown: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    data = [shown(item) for item in page.items]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"object": "list", "data": data, "has_more": page.has_more, **ends}


def file(view: FileView) -> dict[str, Any]:
    assert view.upload is not None
    return {
        "id": view.id,
        "object": "file",
        "bytes": view.upload.artifact.bytes,
        "created_at": int(view.at),
        "filename": view.upload.filename,
        "purpose": view.upload.purpose,
        "status": view.status,
        "status_details": describe(view.rejected) if view.rejected else None,
        "expires_at": None,
    }


def job(view: JobView) -> dict[str, Any]:
    assert view.requested is not None
    spec = view.requested.spec
    hyperparameters = _hyperparameters(spec.hyperparameters)
    running = view.status == "running" and view.progress
    return {
        "object": "fine_tuning.job",
        "id": view.id,
        "model": spec.base_model,
        "created_at": int(view.at),
        "finished_at": view.finished_at,
        "estimated_finish": view.progress.estimated_finish if running and view.progress else None,
        "fine_tuned_model": view.model,
        "organization_id": ORGANIZATION,
        "result_files": [],
        "status": view.status,
        "validation_file": view.requested.validation_file,
        "training_file": view.requested.training_file,
        "trained_tokens": _trained_tokens(view.finished),
        "seed": spec.seed,
        "suffix": spec.suffix,
        "metadata": spec.metadata,
        # Beside OpenAI's fields: its statuses know no pause.
        "paused": view.paused and not view.over,
        "integrations": [],
        "hyperparameters": hyperparameters,
        "method": {"type": spec.method, spec.method: {"hyperparameters": hyperparameters}},
        "error": view.error.model_dump() if view.error else None,
    }


def message(view: MessageView) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": view.id,
        "created_at": int(view.at),
        "level": view.level,
        "type": view.type,
        "message": view.message,
        "data": view.data,
    }


def checkpoint(view: CheckpointView) -> dict[str, Any]:
    figures = view.metrics.model_dump() if view.metrics else {}
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": view.id,
        "created_at": int(view.at),
        "fine_tuned_model_checkpoint": view.model_name,
        "fine_tuning_job_id": view.job_id,
        "step_number": view.step,
        "metrics": {name: figures.get(name) for name in _CHECKPOINT_FIGURES},
    }


def webhook(view: WebhookView) -> dict[str, Any]:
    """An endpoint without its secret."""
    return {
        "object": "webhook_endpoint",
        "id": view.id,
        "name": view.name,
        "url": view.url,
        "event_types": view.event_types,
        "created_at": int(view.at),
        "updated_at": int(view.changed_at),
        "signing_secret_hint": f"{view.secret[:8]}…{view.secret[-4:]}",
    }


def delivery(view: DeliveryView) -> dict[str, Any]:
    """A call, without what it said: that is the event's."""
    shown = view.model_dump(exclude={"at", "due_at", "payload", "owner"})
    next_try = int(view.due_at) if view.status == "pending" else None
    return {"object": "webhook_delivery", **shown, "created_at": int(view.at), "next_try_at": next_try}


def audit_entry(view: AuditView) -> dict[str, Any]:
    return {"object": "audit_log", **view.model_dump(exclude={"at"}), "created_at": int(view.at)}


def report(view: JobView, checkpoints: list[CheckpointView], deployment: DeploymentView | None) -> dict[str, Any]:
    """Assay's own: scores of the base model and each checkpoint side by side, the verdict, the deployment."""
    verdict = view.approved or view.rejected
    return {
        "object": "assay.report",
        "job_id": view.id,
        "status": view.status,
        "base_model": view.requested.spec.base_model if view.requested else None,
        "fine_tuned_model": view.fine_tuned_model,
        "base_scores": _base_scores(checkpoints),
        "checkpoints": [_scored(checkpoint) for checkpoint in checkpoints],
        "verdict": verdict.verdict.model_dump(mode="json") if verdict else None,
        "step": verdict.candidate.step if verdict and verdict.candidate else None,
        "review": view.review.model_dump(mode="json", exclude={"candidate"}) if view.review else None,
        "training": view.finished.model_dump(mode="json") if view.finished else None,
        "deployment": _deployment(deployment),
        "deployment_problem": deployment.reason if deployment else None,
        "deployment_failed": deployment.status == "failed" if deployment else False,
        "deployment_attempts": deployment.attempts if deployment else 0,
    }


def _base_scores(checkpoints: list[CheckpointView]) -> dict[str, Any]:
    return _scores(done.base_scores for checkpoint in checkpoints for done in checkpoint.evals.values())


def _scored(view: CheckpointView) -> dict[str, Any]:
    return {
        "step": view.step,
        "model": view.model_name,
        "version": view.candidate.version,
        "metrics": view.metrics.model_dump() if view.metrics else None,
        "scores": _scores(done.scores for done in view.evals.values()),
        "errors": {suite: done.error.model_dump() for suite, done in view.evals.items() if done.error},
    }


def _scores(suites: Iterable[dict[str, Score]]) -> dict[str, Any]:
    return {name: score.model_dump() for scores in suites for name, score in scores.items()}


def _deployment(view: DeploymentView | None) -> dict[str, Any] | None:
    """None until the version is served."""
    if view is None or view.fact is None:
        return None
    return {
        "version": view.candidate.version,
        "model": view.model,
        "alias": view.fact.alias,
        "replicas": view.fact.replicas,
        "duration_s": view.fact.duration_s,
        "deployed_at": view.deployed_at,
    }


_ALWAYS_DECIDED = {"n_epochs", "batch_size", "learning_rate", "learning_rate_multiplier", "lora_rank", "n_checkpoints"}


def _hyperparameters(chosen: Hyperparameters) -> dict[str, Any]:
    values = chosen.model_dump()
    if (epochs := values["n_epochs"]) is not None and float(epochs).is_integer():
        values["n_epochs"] = int(epochs)
    # What was decided for every job; of the others, what was asked for.
    return {n: "auto" if v is None else v for n, v in values.items() if v is not None or n in _ALWAYS_DECIDED}


def _trained_tokens(finished: TrainingFinished | None) -> int | None:
    return finished.trained_tokens if finished and finished.trained_tokens else None

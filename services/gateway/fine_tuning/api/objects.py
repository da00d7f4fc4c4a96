"""Views in the shape of OpenAI's objects."""

from typing import Any

from services.gateway.common.domain.model_names import ORGANIZATION
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile, clean_filename, describe
from services.gateway.fine_tuning.domain.uploads.upload import Upload, UploadPart
from shared.events import Hyperparameters, TrainingFinished

_CHECKPOINT_FIGURES = (
    *("step", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy"),
    *("full_valid_loss", "full_valid_mean_token_accuracy"),
)


def file(view: UploadedFile) -> dict[str, Any]:
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


def upload(view: Upload, now: float, made: UploadedFile | None = None) -> dict[str, Any]:
    """`made` is the file of a completed upload."""
    asked = view.asked
    return {
        "id": view.id,
        "object": "upload",
        "bytes": asked.bytes,
        "created_at": int(view.at),
        "expires_at": int(view.expires_at),
        "filename": clean_filename(asked.filename),
        "purpose": asked.purpose,
        "status": view.status(now),
        "file": file(made) if made else None,
    }


def upload_part(view: UploadPart, upload_id: str) -> dict[str, Any]:
    return {"id": view.id, "object": "upload.part", "created_at": int(view.at), "upload_id": upload_id}


def job(view: Job) -> dict[str, Any]:
    assert view.requested is not None
    spec = view.requested.spec
    hyperparameters = _hyperparameters(view.used or spec.hyperparameters)
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
        "result_files": [view.result_file] if view.result_file else [],
        "status": view.status,
        "validation_file": view.requested.validation_file,
        "training_file": view.requested.training_file,
        "trained_tokens": _trained_tokens(view.finished),
        "seed": spec.seed,
        "suffix": spec.suffix,
        "metadata": spec.metadata,
        # Beside OpenAI's fields: its statuses know no pause.
        "paused": view.paused and not view.over,
        "warnings": view.warnings,
        "integrations": [],
        "hyperparameters": hyperparameters,
        "method": {"type": spec.method, spec.method: {"hyperparameters": hyperparameters}},
        "error": view.error.model_dump() if view.error else None,
    }


def message(view: JobEvent) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": view.id,
        "created_at": int(view.at),
        "level": view.level,
        "type": view.type,
        "message": view.message,
        "data": view.data,
    }


def checkpoint(view: Checkpoint) -> dict[str, Any]:
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


_ALWAYS_DECIDED = {"n_epochs", "batch_size", "learning_rate", "learning_rate_multiplier", "lora_rank", "n_checkpoints"}


def _hyperparameters(chosen: Hyperparameters) -> dict[str, Any]:
    values = chosen.model_dump()
    if (epochs := values["n_epochs"]) is not None and float(epochs).is_integer():
        values["n_epochs"] = int(epochs)
    # What was decided for every job; of the others, what was asked for.
    return {n: "auto" if v is None else v for n, v in values.items() if v is not None or n in _ALWAYS_DECIDED}


def _trained_tokens(finished: TrainingFinished | None) -> int | None:
    return finished.trained_tokens if finished and finished.trained_tokens else None

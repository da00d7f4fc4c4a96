"""Names of models and ids of jobs, in the form that OpenAI's clients know."""

import hashlib

# Of 100,000 jobs with one base model and suffix, two have the same 12 digits once in 50,000 installations.
_SHORT_ID_LENGTH = 12


def short_id(job_id: str) -> str:
    """The hexadecimal digits that identify a job in the names of its models."""
    return hashlib.sha256(job_id.encode()).hexdigest()[:_SHORT_ID_LENGTH]


def model_name(base_model: str, organization: str, suffix: str | None, job_id: str) -> str:
    """The fine-tuned model's name, `ft:<base>:<org>:<suffix>:<id>`; the suffix may be empty."""
    return f"ft:{base_model}:{organization}:{suffix or ''}:{short_id(job_id)}"


def checkpoint_name(model: str, step: int) -> str:
    """One checkpoint's name, `<model name>:ckpt-step-<n>`."""
    return f"{model}:ckpt-step-{step}"


def job_id_for_file(file_id: str) -> str:
    """The id of the job that an uploaded file requests itself; deterministic, so that a repeated event adds no job."""
    return f"ftjob-{hashlib.sha256(f'train/{file_id}'.encode()).hexdigest()[:24]}"

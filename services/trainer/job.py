"""The child process that trains one job: a request in, progress and checkpoints out, and nothing left behind."""

import signal
import time
from itertools import accumulate
from pathlib import Path

from pydantic import BaseModel

from services.trainer.adapters.processes import SAVE_AND_STOP
from services.trainer.adapters.processor import choose_precision, peak_memory_bytes, yield_to_others
from services.trainer.adapters.publishing import base_dtype
from services.trainer.adapters.reporting import LossDiverged, Reporting, Stopped
from services.trainer.adapters.rows import TokenRow, token_rows
from services.trainer.adapters.trl import BaseModelUnusable, load_model, load_tokenizer, trainer
from services.trainer.adapters.tuned_model import LayersUnknown, trainable_share
from services.trainer.domain.advice import advised
from services.trainer.domain.messages import JobFailed, JobFinished, JobMessage, JobStopped, Prepared
from services.trainer.domain.plan import TrainingPlan, row_order
from shared.artifacts import ArtifactError, Artifacts
from shared.child import Parent, run
from shared.events import Artifact


class JobRequest(BaseModel):
    """What the parent asks for. `work_dir` may be deleted when the job has ended."""

    job_id: str
    plan: TrainingPlan
    base_model_path: str
    artifacts_root: str
    train: Artifact
    validation: Artifact | None = None
    work_dir: Path
    resume_state: Artifact | None = None
    precision: str = "auto"
    niceness: int = 10


class EmptySplit(Exception):
    """No row of the training split has an answer that fits."""


def main(parent: Parent) -> None:
    """Train, and say how it ended: `finished`, `cancelled`, or `failed` with a reason that a user can act on."""
    request = JobRequest.model_validate(parent.request)
    started = time.monotonic()
    try:
        tokens = _train(request, parent)
    except Stopped:
        _send(parent, JobStopped())
    except Exception as error:
        code = _failure_code(error)
        if code is None:
            raise
        _send(parent, JobFailed(code=code, message=advised(code, str(error))))
    else:
        _send(parent, JobStopped(to_hold=True) if tokens is None else _finished(tokens, time.monotonic() - started))


def _finished(tokens: int, seconds: float) -> JobFinished:
    return JobFinished(trained_tokens=tokens, duration_s=seconds, peak_memory_bytes=peak_memory_bytes())


def _send(parent: Parent, message: JobMessage) -> None:
    parent.send(message.model_dump(mode="json"))


def _train(request: JobRequest, parent: Parent) -> int | None:
    """Train to the plan's last step; the count of all tokens that the model has seen, earlier attempts included.

    None when it was asked to hold before.
    """
    yield_to_others(request.niceness)
    plan, artifacts = request.plan, Artifacts(request.artifacts_root)
    tokenizer = load_tokenizer(request.base_model_path)
    train = token_rows(artifacts.read(request.train), tokenizer, plan.max_length)
    if not train:
        raise EmptySplit(f"no row of the training split has an answer within the first {plan.max_length} tokens")
    validation = (
        token_rows(artifacts.read(request.validation), tokenizer, plan.max_length) if request.validation else []
    )
    tokens_at = _tokens_at(train, plan)
    reporting = Reporting(plan, parent, artifacts, tokens_at, base_dtype(request.base_model_path))
    signal.signal(signal.SIGTERM, lambda *_: reporting.stop())
    signal.signal(SAVE_AND_STOP, lambda *_: reporting.hold())
    bf16 = choose_precision(request.precision) == "bf16"
    # Small steps of weights in 16 bits would be rounded away; those of adapters are kept in 32.
    model = load_model(request.base_model_path, bf16 and plan.tuning.kind == "lora")
    reporting.trainer = trainer(plan, model, tokenizer, train, validation, request.work_dir / "out", bf16)
    reporting.trainer.add_callback(reporting)
    _send(parent, Prepared(trainable_share=trainable_share(reporting.trainer.model)))
    reporting.trainer.train(resume_from_checkpoint=_resume_folder(request, artifacts))
    return None if reporting.holds else tokens_at[plan.total_steps]


def _tokens_at(train: list[TokenRow], plan: TrainingPlan) -> list[int]:
    lengths = [len(row["input_ids"]) for row in train]
    seen = list(accumulate((lengths[row] for row in row_order(lengths, plan)), initial=0))
    return seen[:: plan.batch_size]


def _resume_folder(request: JobRequest, artifacts: Artifacts) -> str | None:
    if request.resume_state is None:
        return None
    return str(artifacts.fetch_folder(request.resume_state, request.work_dir / "resume"))


def _failure_code(error: Exception) -> str | None:
    """The code of a failure that trying again would not mend; None for one that it might."""
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "not enough memory" in str(error):
        return "out_of_memory"
    if "No space left on device" in str(error):
        return "disk_full"
    codes = {
        BaseModelUnusable: "base_model_unusable",
        EmptySplit: "empty_training_split",
        LossDiverged: "loss_diverged",
        ArtifactError: "artifact_damaged",
        LayersUnknown: "invalid_hyperparameter",
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), None)


if __name__ == "__main__":
    run(main)

"""The worker: a child process that trains one job. It gets a request and sends progress and checkpoints."""

import os
import platform
import signal
import time
from itertools import accumulate
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from transformers import PreTrainedTokenizerBase

from services.trainer.adapters.answer_trainer import AnswerTrainer
from services.trainer.adapters.bf16_speed import bf16_speedup
from services.trainer.adapters.failure_codes import failure_code
from services.trainer.adapters.machine import has_gpu, limit_cpu_use, peak_memory_bytes, share_of_cores
from services.trainer.adapters.pretrained import load_tokenizer
from services.trainer.adapters.progress_callback import ProgressCallback, Stopped
from services.trainer.adapters.publisher import Publisher, base_dtype
from services.trainer.adapters.ranks import OtherRanks, processes_for, rank
from services.trainer.adapters.start_checkpoint import StartCheckpoint
from services.trainer.adapters.token_rows import EmptySplit, TokenRow, token_rows
from services.trainer.adapters.trainable_parameters import trainable_share
from services.trainer.adapters.trainer_factory import build_trainer
from services.trainer.adapters.worker_processes import SAVE_AND_STOP
from services.trainer.domain.curve.advice import with_advice
from services.trainer.domain.precision import Precision, decide_precision
from services.trainer.domain.remaining_time import AttemptStart
from services.trainer.domain.rows.general_rows import sample_rows
from services.trainer.domain.rows.run_data import WarmStart
from services.trainer.domain.stopping.stop_by_validation import Validation
from services.trainer.domain.training_plan import TrainingPlan
from services.trainer.domain.worker_messages import (
    JobFailed,
    JobFinished,
    JobInterrupted,
    JobStopped,
    Prepared,
    WorkerMessage,
)
from shared.artifact_outage import is_outage
from shared.artifacts import Artifacts
from shared.child import Parent, run
from shared.events import Artifact

_GRACE_S = 30.0


class WorkerRequest(BaseModel):
    """One job. `work_dir` may be deleted when the job has ended."""

    job_id: str
    plan: TrainingPlan
    base_model_path: str
    artifacts_root: str
    train: Artifact
    validation: Artifact | None = None
    general: Artifact | None = None
    start: WarmStart | None = None
    work_dir: Path
    resume_state: Artifact | None = None
    resume_step: int = 0
    validations: tuple[Validation, ...] = ()
    """Of the steps up to `resume_step`."""
    precision: Literal["auto", "fp32", "bf16", "mixed"] = "auto"
    niceness: int = 19
    threads: int = 0
    """0: this process's share of the cores."""
    processes: int = 1
    """0: one for each GPU."""
    sharded: bool = False
    """Whether each of several processes holds a part of the model, or a copy."""


def main(parent: Parent) -> None:
    """Train; the last message is `finished`, `stopped`, or `failed` with a reason that the user can act on."""
    request = WorkerRequest.model_validate(parent.request)
    processes = processes_for(request.plan.batch_size, request.processes)
    others = OtherRanks(parent.request, processes) if processes > 1 and rank() == 0 else None
    last = _outcome(request, parent)
    _send(parent, last)
    if others is not None:
        others.end(_GRACE_S if isinstance(last, JobFinished) else 0)


def _outcome(request: WorkerRequest, parent: Parent) -> WorkerMessage:
    started = time.monotonic()
    try:
        tokens, stop_reason = _train(request, parent)
    except Stopped as stopped:
        return JobStopped(trained_tokens=stopped.trained_tokens, peak_memory_bytes=peak_memory_bytes())
    except Exception as error:
        if is_outage(error):
            return JobInterrupted(reason=str(error))
        code = failure_code(error)
        if code is None:
            raise
        return JobFailed(code=code, message=with_advice(code, str(error)))
    if tokens is None:
        return JobStopped(state_saved=True)
    seconds = time.monotonic() - started
    return JobFinished(
        trained_tokens=tokens, duration_s=seconds, peak_memory_bytes=peak_memory_bytes(), stop_reason=stop_reason
    )


def _send(parent: Parent, message: WorkerMessage) -> None:
    parent.send(message.model_dump(mode="json"))


def _train(request: WorkerRequest, parent: Parent) -> tuple[int | None, str | None]:
    """Train to the last step; returns the job's tokens including earlier attempts, and the reason if it ended early.

    No tokens if it was asked to save and stop.
    """
    limit_cpu_use(request.niceness, request.threads or share_of_cores(int(os.environ.get("WORLD_SIZE", "1"))))
    plan, artifacts = request.plan, Artifacts(request.artifacts_root, create=False)
    tokenizer = load_tokenizer(request.base_model_path)
    train, validation = _rows(request, artifacts, tokenizer)
    tokens_at = _tokens_at(train, plan)
    start = _start_checkpoint(request, artifacts)
    publisher = Publisher(plan.tuning, start.base_path, tokenizer, base_dtype(request.base_model_path))
    progress = ProgressCallback(plan, parent, artifacts, tokens_at, publisher, request.validations)
    signal.signal(signal.SIGTERM, lambda *_: progress.stop())
    signal.signal(SAVE_AND_STOP, lambda *_: progress.save_and_stop())
    precision = _precision(request)
    progress.trainer = _trainer(request, tokenizer, train, validation, start, precision)
    progress.trainer.add_callback(progress)
    progress.trainer.early_stop = progress.early_stop
    share = trainable_share(progress.trainer.model)
    began = AttemptStart(step=request.resume_step, at=time.time())
    prepared = Prepared(
        trainable_share=share, precision=precision, machine=platform.node(), on_gpu=has_gpu(), began=began
    )
    _send(parent, prepared)
    # An attempt can end after the last checkpoint was saved but before that was reported.
    if request.resume_step < progress.last_step:
        progress.trainer.train(resume_from_checkpoint=str(start.weights) if request.resume_state else None)
    reason = progress.early_stop.reason if progress.early_stop else None
    return None if progress.stopped_with_state else tokens_at[progress.last_step], reason


def _rows(
    request: WorkerRequest, artifacts: Artifacts, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[TokenRow], list[TokenRow]]:
    """Training rows (general ones last) and validation rows; raises `EmptySplit` or `RowsTooLong`."""
    plan = request.plan

    def read(split: Artifact | None) -> list[TokenRow]:
        return token_rows(artifacts.read(split), tokenizer, plan.max_length) if split else []

    train = read(request.train)
    if not train:
        raise EmptySplit("no row of the training split has an answer")
    return train + sample_rows(read(request.general), plan.general_rows, plan.seed), read(request.validation)


def _start_checkpoint(request: WorkerRequest, artifacts: Artifacts) -> StartCheckpoint:
    start, tuning, base = request.start, request.plan.tuning, request.base_model_path
    earlier = artifacts.fetch_folder(start.state, request.work_dir / "start") if start else None
    own = artifacts.fetch_folder(request.resume_state, request.work_dir / "resume") if request.resume_state else None
    return StartCheckpoint.of(tuning, base, earlier, own, start is not None and start.with_optimizer)


def _trainer(
    request: WorkerRequest,
    tokenizer: PreTrainedTokenizerBase,
    train: list[TokenRow],
    validation: list[TokenRow],
    start: StartCheckpoint,
    precision: Precision,
) -> AnswerTrainer:
    plan, out = request.plan, request.work_dir / "out"
    model = start.model(plan.tuning, precision.format == "bf16")
    trainer = build_trainer(plan, model, tokenizer, train, validation, out, precision.format, request.sharded)
    start.load_adapter(trainer.model)
    trainer.optimizer_from = start.optimizer
    return trainer


def _precision(request: WorkerRequest) -> Precision:
    speedup = bf16_speedup() if request.precision == "auto" else 0.0
    return decide_precision(request.precision, request.plan.tuning.kind, speedup)


def _tokens_at(train: list[TokenRow], plan: TrainingPlan) -> list[int]:
    lengths = [len(row["input_ids"]) for row in train]
    seen = list(accumulate((lengths[row] for row in plan.row_order(lengths)), initial=0))
    return seen[:: plan.batch_size]


if __name__ == "__main__":
    run(main)

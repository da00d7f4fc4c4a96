"""The child process that trains one job: a request in, progress and checkpoints out, and nothing left behind."""

import os
import signal
import time
from itertools import accumulate
from pathlib import Path

from pydantic import BaseModel
from transformers import PreTrainedTokenizerBase

from services.trainer.adapters.beginning import Beginning
from services.trainer.adapters.failures import failure_code
from services.trainer.adapters.loading import load_tokenizer
from services.trainer.adapters.processes import SAVE_AND_STOP
from services.trainer.adapters.processor import choose_precision, peak_memory_bytes, share_of_cores, yield_to_others
from services.trainer.adapters.publishing import Publisher, base_dtype
from services.trainer.adapters.ranks import Others, processes_for, rank
from services.trainer.adapters.reporting import Reporting, Stopped
from services.trainer.adapters.rows import EmptySplit, TokenRow, token_rows
from services.trainer.adapters.trl import AnswerTrainer, trainer
from services.trainer.adapters.tuned_model import trainable_share
from services.trainer.domain.advice import advised
from services.trainer.domain.general import drawn
from services.trainer.domain.messages import JobFailed, JobFinished, JobMessage, JobStopped, Prepared
from services.trainer.domain.plan import TrainingPlan, row_order
from services.trainer.domain.run import Start
from shared.artifacts import Artifacts
from shared.child import Parent, run
from shared.events import Artifact

_GRACE_S = 30.0


class JobRequest(BaseModel):
    """What the parent asks for. `work_dir` may be deleted when the job has ended."""

    job_id: str
    plan: TrainingPlan
    base_model_path: str
    artifacts_root: str
    train: Artifact
    validation: Artifact | None = None
    general: Artifact | None = None
    start: Start | None = None
    work_dir: Path
    resume_state: Artifact | None = None
    precision: str = "auto"
    niceness: int = 19
    threads: int = 0
    """0: this process's share of the cores."""
    processes: int = 1
    """0: one for each GPU."""
    sharded: bool = False
    """Whether several processes hold a part of the model each, or all of it."""


def main(parent: Parent) -> None:
    """Train, and say how it ended: `finished`, `stopped`, or `failed` with a reason that a user can act on."""
    request = JobRequest.model_validate(parent.request)
    processes = processes_for(request.plan.batch_size, request.processes)
    others = Others(parent.request, processes) if processes > 1 and rank() == 0 else None
    last = _last_word(request, parent)
    _send(parent, last)
    if others is not None:
        others.end(_GRACE_S if isinstance(last, JobFinished) else 0)


def _last_word(request: JobRequest, parent: Parent) -> JobMessage:
    started = time.monotonic()
    try:
        tokens = _train(request, parent)
    except Stopped as stopped:
        return JobStopped(trained_tokens=stopped.trained_tokens, peak_memory_bytes=peak_memory_bytes())
    except Exception as error:
        code = failure_code(error)
        if code is None:
            raise
        return JobFailed(code=code, message=advised(code, str(error)))
    return JobStopped(to_hold=True) if tokens is None else _finished(tokens, time.monotonic() - started)


def _finished(tokens: int, seconds: float) -> JobFinished:
    return JobFinished(trained_tokens=tokens, duration_s=seconds, peak_memory_bytes=peak_memory_bytes())


def _send(parent: Parent, message: JobMessage) -> None:
    parent.send(message.model_dump(mode="json"))


def _train(request: JobRequest, parent: Parent) -> int | None:
    """Train to the plan's last step; the count of all tokens that the model has seen, earlier attempts included.

    None when it was asked to hold before.
    """
    yield_to_others(request.niceness, request.threads or share_of_cores(int(os.environ.get("WORLD_SIZE", "1"))))
    plan, artifacts = request.plan, Artifacts(request.artifacts_root)
    tokenizer = load_tokenizer(request.base_model_path)
    train, validation = _rows(request, artifacts, tokenizer)
    tokens_at = _tokens_at(train, plan)
    beginning = _beginning(request, artifacts)
    publisher = Publisher(plan.tuning, beginning.below, tokenizer, base_dtype(request.base_model_path))
    reporting = Reporting(plan, parent, artifacts, tokens_at, publisher)
    signal.signal(signal.SIGTERM, lambda *_: reporting.stop())
    signal.signal(SAVE_AND_STOP, lambda *_: reporting.hold())
    reporting.trainer = _trainer(request, tokenizer, train, validation, beginning)
    reporting.trainer.add_callback(reporting)
    _send(parent, Prepared(trainable_share=trainable_share(reporting.trainer.model)))
    reporting.trainer.train(resume_from_checkpoint=str(beginning.state) if request.resume_state else None)
    return None if reporting.holds else tokens_at[plan.total_steps]


def _rows(
    request: JobRequest, artifacts: Artifacts, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[TokenRow], list[TokenRow]]:
    """The rows to train on, general ones last, and those to validate on."""
    plan = request.plan

    def read(split: Artifact | None) -> list[TokenRow]:
        return token_rows(artifacts.read(split), tokenizer, plan.max_length) if split else []

    train = read(request.train)
    if not train:
        raise EmptySplit("no row of the training split has an answer")
    return train + drawn(read(request.general), plan.general_rows, plan.seed), read(request.validation)


def _beginning(request: JobRequest, artifacts: Artifacts) -> Beginning:
    start, tuning, base = request.start, request.plan.tuning, request.base_model_path
    earlier = artifacts.fetch_folder(start.state, request.work_dir / "start") if start else None
    own = artifacts.fetch_folder(request.resume_state, request.work_dir / "resume") if request.resume_state else None
    return Beginning.of(tuning, base, earlier, own, start is not None and start.with_optimizer)


def _trainer(
    request: JobRequest,
    tokenizer: PreTrainedTokenizerBase,
    train: list[TokenRow],
    validation: list[TokenRow],
    beginning: Beginning,
) -> AnswerTrainer:
    plan, out = request.plan, request.work_dir / "out"
    bf16 = choose_precision(request.precision) == "bf16"
    model = beginning.model(plan.tuning, bf16)
    made = trainer(plan, model, tokenizer, train, validation, out, bf16, request.sharded)
    beginning.give(made.model)
    made.moments_from = beginning.moments
    return made


def _tokens_at(train: list[TokenRow], plan: TrainingPlan) -> list[int]:
    lengths = [len(row["input_ids"]) for row in train]
    seen = list(accumulate((lengths[row] for row in row_order(lengths, plan)), initial=0))
    return seen[:: plan.batch_size]


if __name__ == "__main__":
    run(main)

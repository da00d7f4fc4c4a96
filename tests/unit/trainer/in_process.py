"""Trains a job within the test process, like the worker does in its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from services.trainer.adapters.answer_trainer import AnswerTrainer
from services.trainer.adapters.pretrained import load_tokenizer
from services.trainer.adapters.progress_callback import ProgressCallback
from services.trainer.adapters.publisher import Publisher, base_dtype
from services.trainer.adapters.start_checkpoint import StartCheckpoint
from services.trainer.adapters.token_rows import token_rows
from services.trainer.adapters.trainer_factory import build_trainer
from services.trainer.domain.stopping.stop_by_validation import Validation
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.tuning import Tuning
from services.trainer.domain.worker_messages import CheckpointWritten, StepDone, WorkerMessage, parse_message
from shared.artifacts import Artifacts
from shared.events import Artifact, Hyperparameters, TrainingSpec
from tests.unit.trainer import tiny_model


@dataclass
class Listener:
    """Collects the messages that the parent process would get."""

    messages: list[WorkerMessage] = field(default_factory=list)

    def send(self, message: dict[str, Any]) -> None:
        self.messages.append(parse_message(message))


@dataclass
class Trained:
    """The messages of a job, and its trainer."""

    messages: list[WorkerMessage]
    trainer: AnswerTrainer
    store: Artifacts
    cache: Path

    @property
    def losses(self) -> dict[int, float]:
        return {m.step: m.metrics.train_loss or 0.0 for m in self.messages if isinstance(m, StepDone)}

    @property
    def checkpoints(self) -> list[CheckpointWritten]:
        return [m for m in self.messages if isinstance(m, CheckpointWritten)]

    def folder(self, artifact: Artifact) -> Path:
        return self.store.fetch_folder(artifact, self.cache)


def train(
    base: Path,
    folder: Path,
    train: bytes,
    validation: bytes,
    resume: Path | None = None,
    start: Path | None = None,
    with_optimizer: bool = False,
    earlier: Tuning | None = None,
    sharded: bool = False,
    seed: int = 1,
    validations: Sequence[Validation] = (),
    **asked: Any,
) -> Trained:
    """Train the tiny model in `base`; `asked` are hyperparameters, `resume` and `start` are folders of states.

    `earlier` made the one in `start`; without it that was made as is asked for now.
    """
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(str(base))
    rows, held_out = (token_rows(lines, tokenizer, 256) for lines in (train, validation))
    spec = TrainingSpec(base_model="tiny", hyperparameters=Hyperparameters.model_validate(asked), seed=seed)
    plan = plan_training("job", spec, "name", len(rows), tiny_model.SHAPE, earlier, validation_rows=len(held_out))
    received, store = Listener(), Artifacts(str(folder / "artifacts"))
    tokens_at = list(range(plan.total_steps + 1))
    origin = StartCheckpoint.of(plan.tuning, str(base), start, resume, with_optimizer)
    publisher = Publisher(plan.tuning, origin.base_path, tokenizer, base_dtype(str(base)))
    progress = ProgressCallback(plan, received, store, tokens_at, publisher, validations)  # type: ignore[arg-type]
    model, out = origin.model(plan.tuning, False), folder / "out"
    made = build_trainer(plan, model, tokenizer, rows, held_out, out, "fp32", sharded)
    origin.load_adapter(made.model)
    made.optimizer_from = origin.optimizer
    progress.trainer = made
    made.early_stop = progress.early_stop
    made.add_callback(progress)
    made.train(resume_from_checkpoint=str(resume) if resume else None)
    return Trained(received.messages, made, store, folder / "cache")

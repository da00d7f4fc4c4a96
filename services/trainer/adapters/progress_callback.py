"""Reports each step and each checkpoint of a running job to the parent process."""

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from services.trainer.adapters.answer_trainer import AnswerTrainer
from services.trainer.adapters.machine import memory_bytes
from services.trainer.adapters.publisher import Publisher
from services.trainer.domain.stopping.stop_by_validation import Validation, early_stop
from services.trainer.domain.training_plan import TrainingPlan
from services.trainer.domain.worker_messages import CheckpointWritten, StateSaved, StepDone, Validated
from shared.artifacts import Artifacts
from shared.child import Parent
from shared.events import TrainingMetrics


class LossDiverged(Exception):
    """The loss is NaN or infinite."""


class Stopped(Exception):
    """The parent asked the job to stop; `trained_tokens` counts all tokens of the job so far."""

    def __init__(self, trained_tokens: int) -> None:
        super().__init__(f"stopped after {trained_tokens} tokens")
        self.trained_tokens = trained_tokens


class ProgressCallback(TrainerCallback):
    """Sends `progress` after each step, `validated` and `checkpoint` at the plan's steps, and stops the run early.

    `tokens_at[n]` is the number of tokens of the first n steps; `validations` are those of earlier attempts.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        parent: Parent,
        artifacts: Artifacts,
        tokens_at: list[int],
        publisher: Publisher,
        validations: Sequence[Validation] = (),
    ) -> None:
        self._plan = plan
        self._publisher = publisher
        self._parent = parent
        self._artifacts = artifacts
        self._tokens_at = tokens_at
        self._metrics = TrainingMetrics(step=0)
        self._validations = list(validations)
        self.early_stop = early_stop(self._validations, plan.total_steps) if plan.early_stopping else None
        self._step_started = time.monotonic()
        self._stop_requested = False
        self._save_requested = False
        self.stopped_with_state = False
        """Whether the job saved its state and ended before its last step, as requested."""
        self.trainer: AnswerTrainer

    def stop(self) -> None:
        """End the job before its next step; safe to call in a signal handler."""
        self._stop_requested = True

    def save_and_stop(self) -> None:
        """Save the state after the current step and end the job; safe to call in a signal handler."""
        self._save_requested = True

    @property
    def last_step(self) -> int:
        return self.early_stop.last_step if self.early_stop else self._plan.total_steps

    def _is_checkpoint(self, step: int) -> bool:
        return step in self._plan.checkpoint_steps or step == self.last_step

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._stop_requested:
            raise Stopped(self._tokens_at[state.global_step])
        self._step_started = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        step = state.global_step
        self.stopped_with_state = self._save_requested and step < self.last_step
        control.should_save = self._is_checkpoint(step) or self.stopped_with_state
        control.should_training_stop |= self.stopped_with_state or step >= self.last_step
        is_validation = self._is_checkpoint(step) or step in self._plan.validation_steps
        control.should_evaluate = is_validation and self.trainer.eval_dataset is not None

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any) -> None:
        if "grad_norm" not in logs:
            return
        step = state.global_step
        seconds = time.monotonic() - self._step_started
        loss, accuracy = self.trainer.take_scores(training=True) or (math.nan, math.nan)
        if not math.isfinite(loss):
            raise LossDiverged(f"the loss is not a number at step {step} of {self._plan.total_steps}")
        self._metrics = TrainingMetrics(
            step=step,
            train_loss=loss,
            train_mean_token_accuracy=accuracy,
            learning_rate=logs["learning_rate"],
            grad_norm=_finite(logs["grad_norm"]),
            tokens_per_s=(self._tokens_at[step] - self._tokens_at[step - 1]) / seconds,
            memory_bytes=memory_bytes(),
        )
        done = StepDone(
            step=step,
            total_steps=self.last_step,
            metrics=self._metrics,
            trained_tokens=self._tokens_at[step],
        )
        self._parent.send(done.model_dump(mode="json"))

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if scores := self.trainer.take_scores(training=False):
            loss, accuracy = _finite(scores[0]), scores[1]
            self._metrics = self._metrics.model_copy(
                update={
                    "valid_loss": loss,
                    "valid_mean_token_accuracy": accuracy,
                    "full_valid_loss": loss,
                    "full_valid_mean_token_accuracy": accuracy,
                }
            )
            if loss is not None:
                self._on_validation(Validation(step=state.global_step, loss=loss, accuracy=accuracy))

    def _on_validation(self, validation: Validation) -> None:
        self._validations.append(validation)
        if self._plan.early_stopping and self.early_stop is None:
            self.early_stop = self.trainer.early_stop = early_stop(self._validations, self._plan.total_steps)
        self._parent.send(Validated(validation=validation, metrics=self._metrics).model_dump(mode="json"))

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not self._is_checkpoint(state.global_step):
            saved = StateSaved(step=state.global_step, state=self._artifacts.put_folder(folder))
            shutil.rmtree(folder)
            self._parent.send(saved.model_dump(mode="json"))
            return
        published = folder.with_name(f"published-{state.global_step}")
        self._publisher.publish(folder, published)
        # Files that both folders contain are stored once.
        adapter, saved = (self._artifacts.put_folder(each) for each in (published, folder))
        shutil.rmtree(published)
        shutil.rmtree(folder)
        written = CheckpointWritten(step=state.global_step, adapter=adapter, state=saved, metrics=self._metrics)
        self._parent.send(written.model_dump(mode="json"))


def _finite(value: float) -> float | None:
    value = float(value)
    return value if math.isfinite(value) else None

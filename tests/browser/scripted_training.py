"""Takes the place of the trainer's child process: a queued run is trained at once, with a curve and checkpoints."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from services.trainer.domain.training_run import TrainingRun
from services.trainer.service.run_store import RunStore
from shared.events import Artifact, Candidate, CheckpointSaved, TrainingMetrics, TrainingQueued
from shared.store import Decision
from tests.browser.trainer_data import checkpoint, point


@dataclass(frozen=True)
class ScriptedTraining:
    """Saves two checkpoints with their events, as a trainer does."""

    store: RunStore

    async def train(self, event: TrainingQueued) -> None:
        run = await self.store.runs.get(event.job_id)
        if run is None or run.status != "queued":
            return
        assert run.plan is not None
        total = run.plan.total_steps
        for step in range(1, total + 1):
            await self.store.add_point(point(run.id, step, total))
        await self.store.runs.change(run.id, _trained)


def _trained(run: TrainingRun) -> Decision[TrainingRun]:
    assert run.plan is not None
    total = run.plan.total_steps
    steps = (total // 2, total)
    written = tuple(checkpoint(step) for step in steps)
    now = int(time.time())
    facts: dict[str, Any] = {"started_at": now - 60, "finished_at": now, "duration_s": 60.0, "best_step": total}
    ended = run.model_copy(update={"status": "succeeded", "checkpoints": written, "attempt": 1, **facts})
    return ended, [*(_saved(run, step, total) for step in steps), ended.finished_event()]


def _saved(run: TrainingRun, step: int, total: int) -> CheckpointSaved:
    assert run.plan is not None
    assert run.data is not None
    digest = hashlib.sha256(f"{run.id}/{step}".encode()).hexdigest()
    spec = run.request.spec
    candidate = Candidate(
        job_id=run.id,
        step=step,
        base_model=spec.base_model,
        model_name=f"{run.plan.model_name}:ckpt-step-{step}",
        adapter=Artifact(uri=f"memory://{digest}", sha256=digest, bytes=1),
        lora_rank=8,
        suffix=spec.suffix,
        policy=spec.policy,
        owner=run.request.owner,
    )
    # Without a validation split the checkpoints are answered on the test split at once.
    metrics = TrainingMetrics(step=step, valid_loss=0.5)
    return CheckpointSaved(candidate=candidate, total_steps=total, metrics=metrics, test=run.data.test)

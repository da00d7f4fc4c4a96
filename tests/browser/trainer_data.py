"""Runs of the trainer with curves, in memory."""

import math
import time
from collections.abc import Sequence
from typing import Any

from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.remaining_time import AttemptStart
from services.trainer.domain.rows.dataset_outcome import DatasetOutcome
from services.trainer.domain.rows.run_data import RunData
from services.trainer.domain.training_plan import TrainingPlan
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.tuning import Tuning
from services.trainer.domain.worker_messages import CheckpointWritten
from services.trainer.pages.run_stream import DrawnRuns
from services.trainer.ports import BaseModel, UnknownBaseModel
from services.trainer.service.admission import Admission
from services.trainer.service.curve_cache import CurveCache
from services.trainer.service.job_options import JobOptions
from services.trainer.service.job_preview import JobPreview
from services.trainer.service.live_runs import LiveRuns
from services.trainer.service.run_store import RunStore
from shared.events import (
    Artifact,
    DatasetReady,
    DatasetUploaded,
    Failure,
    Hyperparameters,
    Split,
    Splits,
    TrainingMetrics,
    TrainingRequested,
    TrainingSpec,
)
from shared.store import MemoryStore
from tests.browser.site import at_once

MACHINE = "test-machine"
BASE = "smollm2-135m-instruct"
HOSTILE = '</text><script>alert(1)</script>"'
ARTIFACT = Artifact(uri="memory://x", sha256="0" * 64, bytes=1)


def store_of_runs() -> RunStore:
    return RunStore.of(MemoryStore("trainer"))


class OneBaseModel:
    """Knows one name."""

    async def find(self, name: str) -> BaseModel:
        if name != BASE:
            raise UnknownBaseModel(f"the base model {name!r} cannot be trained here; known base models: {BASE}")
        return BaseModel(name=name, path="/nowhere", hidden_size=576, blocks=30, context=8192)


class NoArchive:
    """Has no ended run."""

    async def keep(self, run: TrainingRun, curve: Sequence[TrainingMetrics]) -> None: ...

    async def find(self, job_id: str) -> None: ...


def use_cases(store: RunStore) -> dict[str, Any]:
    admission = Admission(store, NoArchive(), OneBaseModel(), "assay", memory_bytes=2**34)
    return {
        "store": store,
        "curves": CurveCache(store),
        "live_runs": LiveRuns(store),
        "drawn_runs": DrawnRuns(),
        "options": JobOptions(store),
        "previews": JobPreview(store, admission, MACHINE),
        "base_models": (BASE,),
    }


def dataset(store: RunStore, file_id: str, filename: str, rows: int, owner: str = "") -> None:
    """A checked file with a tenth of its rows for validation and for the test."""

    def split(count: int) -> Split:
        return Split(artifact=Artifact(uri="memory://x", sha256="0" * 64, bytes=400 * count), rows=count)

    splits = Splits(train=split(rows * 8 // 10), validation=split(rows // 10), test=split(rows // 10))
    ready = DatasetReady(file_id=file_id, rows=rows, dropped_rows=3, splits=splits, owner=owner)
    at_once(store.datasets.create(DatasetOutcome(id=file_id, ready=ready)))
    uploaded = DatasetUploaded(file_id=file_id, filename=filename, artifact=ARTIFACT, owner=owner, created_at=rows)
    at_once(JobOptions(store).uploaded(uploaded))


def data_of(store: RunStore, file_id: str) -> RunData:
    """What a run over this file reads."""
    check = at_once(store.datasets.get(file_id))
    return RunData(**check.ready.splits.model_dump())


def plan(job_id: str, total: int, steps: tuple[int, ...]) -> TrainingPlan:
    return TrainingPlan(
        job_id=job_id,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay::{job_id}",
        seed=0,
        rows=1240,
        n_epochs=10,
        batch_size=16,
        total_steps=total,
        checkpoint_steps=steps,
        learning_rate=2e-4,
        warmup_steps=12,
        tuning=Tuning(kind="lora", rank=8, alpha=16),
        max_length=4096,
        reasons={"n_epochs": "for 1,240 rows", "learning_rate": "LoRA, 12 steps of warm-up"},
    )


def run(job_id: str, status: Any, suffix: str = "shop-assistant", total: int = 620, **facts: Any) -> TrainingRun:
    now = int(time.time())
    spec = TrainingSpec(base_model=BASE, suffix=suffix, hyperparameters=Hyperparameters(lora_rank=8))
    request = TrainingRequested(job_id=job_id, training_file="file-6b20e1", spec=spec, created_at=now)
    steps = tuple(range(62, total + 1, 62))
    facts.setdefault("plan", plan(job_id, total, steps))
    return TrainingRun(id=job_id, request=request, status=status, created_at=now, **facts)


def checkpoint(step: int) -> CheckpointWritten:
    return CheckpointWritten(step=step, adapter=ARTIFACT, state=ARTIFACT, metrics=TrainingMetrics(step=step))


def point(job_id: str, step: int, total: int) -> CurvePoint:
    loss = 0.44 + 1.62 * math.exp(-6 * step / total) + 0.05 * math.sin(step * 1.7)
    metrics = TrainingMetrics(
        step=step,
        train_loss=loss,
        valid_loss=loss + 0.1 if step % 31 == 0 else None,
        learning_rate=2e-4 * (1 - step / total),
        grad_norm=0.6 + math.exp(-step / 20),
        tokens_per_s=2400 + 50 * math.sin(step),
    )
    return CurvePoint(job_id=job_id, attempt=1, metrics=metrics)


def add(store: RunStore, made: TrainingRun, steps: int = 0) -> None:
    """A run with the first `steps` points of its curve."""
    total = made.plan.total_steps if made.plan else 1
    at_once(store.runs.create(made))
    for step in range(1, steps + 1):
        at_once(store.add_point(point(made.id, step, total)))


def fill(store: RunStore) -> None:
    """A run in each status."""
    now = int(time.time())
    checkpoints = tuple(checkpoint(step) for step in (62, 124, 186, 248, 310, 372))
    live = run("ftjob-live", "running", started_at=now - 2280, checkpoints=checkpoints, best_step=310)
    add(store, live.model_copy(update={"began": AttemptStart(step=0, at=now - 2270)}), 403)
    ended: dict[str, Any] = {"started_at": now - 3000, "finished_at": now, "duration_s": 2820.0}
    done = run("ftjob-done", "succeeded", checkpoints=checkpoints, trainable_share=0.0026, **ended)
    add(store, done, 620)
    add(store, run("ftjob-paused", "paused", started_at=now), 30)
    failure = Failure(code="rows_too_long", message=f"12 rows are too long: {HOSTILE}")
    add(store, run("ftjob-failed", "failed", suffix="invoice-fields", error=failure))
    add(store, run("ftjob-new", "validating_files", plan=None))

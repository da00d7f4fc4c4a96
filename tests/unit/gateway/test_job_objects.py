"""A job's object by the official SDK, as events of the trainer arrive."""

from pathlib import Path

from shared.events import Hyperparameters, TrainingFinished, TrainingMetrics, TrainingProgress, TrainingQueued
from tests.fine_tuning_app import fine_tuning_app
from tests.gateway import BASE, rows


async def test_auto_is_replaced_and_the_step_metrics_become_a_file(tmp_path: Path) -> None:
    app = fine_tuning_app(tmp_path)
    sdk, events = app.sdk("train"), app.part.projection
    file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)
    assert (job.hyperparameters.n_epochs, job.result_files) == ("auto", [])
    used = Hyperparameters(n_epochs=2, batch_size=8, learning_rate_multiplier=1, lora_rank=8)
    await events.queued(TrainingQueued(job_id=job.id, hyperparameters=used))
    metrics = TrainingMetrics(step=1, train_loss=0.5)
    await events.progressed(TrainingProgress(job_id=job.id, attempt=1, step=1, total_steps=1, metrics=metrics))
    await events.finished(TrainingFinished(job_id=job.id, status="succeeded", checkpoints=(1,)))
    known = await sdk.fine_tuning.jobs.retrieve(job.id)
    assert (known.hyperparameters.n_epochs, known.hyperparameters.batch_size) == (2, 8)
    [result] = known.result_files
    assert (await sdk.files.content(result)).text.splitlines()[1:] == ["1,0.5,,,"]

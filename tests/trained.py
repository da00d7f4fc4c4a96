"""Trains a model in a worker process, like the trainer does."""

import json
from pathlib import Path
from typing import Any

from services.trainer.adapters.worker_processes import ENVIRONMENT
from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.worker_messages import parse_message
from shared.artifacts import Artifacts
from shared.child import Child
from shared.events import Hyperparameters, TrainingSpec

BATCH = 4


async def train(asked: dict[str, Any], rows: list[bytes], steps: int, base: Path, folder: Path) -> list[Any]:
    """The worker's messages while it trains `steps` steps on `rows`; its artifacts are in `folder`."""
    stored = Artifacts(str(folder / "artifacts")).put_bytes(b"".join(rows))
    hyperparameters = Hyperparameters(n_epochs=steps * BATCH / len(rows), batch_size=BATCH, n_checkpoints=1, **asked)
    spec = TrainingSpec(base_model="base", hyperparameters=hyperparameters, seed=7)
    config = json.loads((base / "config.json").read_text())
    shape = BaseShape(hidden_size=config["hidden_size"], blocks=config["num_hidden_layers"])
    request = {
        "job_id": "job",
        "plan": plan_training("job", spec, "name", len(rows), shape).model_dump(mode="json"),
        "base_model_path": str(base),
        "artifacts_root": str(folder / "artifacts"),
        "train": stored.model_dump(mode="json"),
        "work_dir": str(folder / "work"),
        "niceness": 0,
    }
    (folder / "work").mkdir(parents=True)
    child = await Child.start("services.trainer.worker", request, ENVIRONMENT)
    try:
        return [parse_message(message) async for message in child.messages()]
    finally:
        await child.kill()

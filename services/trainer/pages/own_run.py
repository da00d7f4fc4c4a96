"""A run that the reader may see."""

from services.trainer.domain.training_run import TrainingRun
from services.trainer.service.run_store import RunStore
from shared.security import Key
from shared.web import NotFound


async def own_run(store: RunStore, job_id: str, key: Key) -> TrainingRun:
    """Raises `NotFound`, also for runs of other keys."""
    found = await store.runs.get(job_id)
    if found is None or not key.owns(found.request.owner):
        raise NotFound(f"there is no run {job_id!r}")
    return found

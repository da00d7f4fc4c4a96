"""The metrics of a run while it trains."""

import asyncio
from collections.abc import AsyncIterator

from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics

_POLL_S = 1.0


async def live_curve(store: RunStore, job_id: str, after_step: int = 0) -> AsyncIterator[TrainingMetrics]:
    """The metrics of each step after `after_step` until the run ends; a step is repeated once it is validated."""
    sent: dict[int, TrainingMetrics] = {}
    ended = False
    while not ended:
        run = await store.runs.get(job_id)
        # Read before the curve: the curve of an ended run is complete.
        ended = run is None or run.ended
        for point in await store.curve(job_id):
            if point.step > after_step and sent.get(point.step) != point:
                sent[point.step] = point
                yield point
        if not ended:
            await asyncio.sleep(_POLL_S)

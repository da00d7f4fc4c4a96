"""The end of a run is told once and in the same way by the database, the archive and the event."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.stopping.stop_by_scores import CheckpointScores
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.worker_messages import JobFinished, JobStopped
from services.trainer.service.run_lease import RunLease
from services.trainer.service.run_queue import RunQueue
from shared.events import TrainingCancelRequested, TrainingFinished, TrainingMetrics
from tests.unit.trainer.in_memory import MemoryArchive, Service

FINISHED = JobFinished(trained_tokens=10, duration_s=1.0, peak_memory_bytes=1)
POINT = TrainingMetrics(step=1, train_loss=0.5)


@dataclass
class SlowArchive(MemoryArchive):
    """While it is written for the first time, something else happens."""

    meanwhile: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    async def keep(self, run: TrainingRun, curve: Sequence[TrainingMetrics]) -> None:
        while self.meanwhile:
            await self.meanwhile.pop()()
        await super().keep(run, curve)


async def claimed() -> tuple[Service, SlowArchive, RunLease]:
    service, archive = Service(), SlowArchive()
    await service.add_dataset("file")
    await service.request("job", 1.5)
    lease = await RunQueue(service.store, archive).claim()
    assert lease is not None
    await service.store.add_point(CurvePoint(job_id="job", attempt=1, metrics=POINT, at=1.0))
    return service, archive, lease


async def told(service: Service) -> TrainingFinished:
    sent = [event for _, _, events in await service.database.unsent_events() for event in events]
    [end] = [event.data for event in sent if event.type == TrainingFinished.type]
    return TrainingFinished.model_validate(end)


async def test_a_run_that_is_cancelled_while_its_end_is_written_ends_in_one_way() -> None:
    service, archive, lease = await claimed()
    await lease.change(lambda run: run.model_copy(update={"stop_reason": "all answers were right"}))
    archive.meanwhile.append(lambda: service.control.cancel(TrainingCancelRequested(job_id="job")))
    await lease.end(lambda run, now: run.stop(JobStopped(), now))
    archived, _ = archive.runs["job"]
    statuses = {(await service.run("job")).status, archived.status, (await told(service)).status}
    assert statuses == {"cancelled"}


async def test_scores_that_come_while_the_end_of_a_run_is_written_are_told_with_it() -> None:
    service, archive, lease = await claimed()
    scores = CheckpointScores(step=20, scores={"exact_match": 0.9}, base_scores={})
    archive.meanwhile.append(lambda: service.store.runs.change("job", lambda run: (run.add_scores(scores), ())))
    await lease.end(lambda run, now: run.succeed(FINISHED, now))
    archived, curve = archive.runs["job"]
    assert ((await service.run("job")).best_step, archived.best_step, (await told(service)).best_step) == (20, 20, 20)
    assert curve == [POINT]


async def test_a_lease_that_is_renewed_while_the_end_is_written_does_not_delay_it() -> None:
    service, archive, lease = await claimed()
    written = list[str]()

    async def renewed() -> None:
        written.append("renewed")
        await lease.renew()

    archive.meanwhile.append(renewed)
    await lease.end(lambda run, now: run.succeed(FINISHED, now))
    assert ((await told(service)).status, written) == ("succeeded", ["renewed"])


async def test_a_cancellation_after_the_end_leaves_the_archived_curve() -> None:
    service, archive, lease = await claimed()
    await lease.end(lambda run, now: run.succeed(FINISHED, now))
    service.archive.runs = archive.runs
    await service.control.cancel(TrainingCancelRequested(job_id="job"))
    run, curve = archive.runs["job"]
    assert (run.status, curve) == ("succeeded", [POINT])

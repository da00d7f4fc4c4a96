"""Jobs that go on only when the person who asked for them does something."""

from collections.abc import Sequence

from services.gateway.console.domain.job_line import State, job_line
from services.gateway.fine_tuning.domain.job import Job
from shared.security import Key

WAITING: tuple[State, ...] = ("failed", "refused", "paused")
SHOWN_FOR_S = 7 * 24 * 3600
"""An older job was left as it is on purpose."""


def waiting_jobs(newest_first: Sequence[Job], key: Key, now: float) -> list[Job]:
    """Failed, refused and paused jobs of this person, unless a newer job of the same name took their place."""
    newer: set[str] = set()
    waiting: list[Job] = []
    for job in newest_first:
        name = _name(job)
        if name not in newer and _waits(job, key, now):
            waiting.append(job)
        newer.add(name)
    return waiting


def _waits(job: Job, key: Key, now: float) -> bool:
    own = job.owner in (key.id, key.person)
    return own and job_line(job).state in WAITING and now - job.at < SHOWN_FOR_S


def _name(job: Job) -> str:
    """What a later job has in common with this one; a job without a name stands for itself."""
    return (job.requested.spec.suffix if job.requested else "") or job.id

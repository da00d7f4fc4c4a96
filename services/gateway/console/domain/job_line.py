"""Where a job stands on the line: data, training, scores, review, serving."""

from dataclasses import dataclass
from typing import Literal

from services.gateway.fine_tuning.domain.job import Job

State = Literal[
    "checking_data", "queued", "paused", "training", "scoring", "in_review", "served", "refused", "failed", "cancelled"
]
_LETTERS: dict[State, str] = {
    "checking_data": "noooo",
    "queued": "dnooo",
    "paused": "dnooo",
    "training": "dnnoo",
    "scoring": "ddnoo",
    "in_review": "dddwo",
    "served": "ddddv",
    "refused": "dddxo",
    "cancelled": "d-ooo",
}


@dataclass(frozen=True)
class JobLine:
    """The state in one word, and a letter for each station, as `shared.pages.marks.dots` reads them."""

    state: State
    letters: str


def job_line(job: Job) -> JobLine:
    """A job whose people were not asked has its review left out."""
    state = _state(job)
    if state == "served" and job.review is None:
        return JobLine(state, "ddd-v")
    if state == "refused" and job.review is None:
        return JobLine(state, "ddxoo")
    if state == "failed":
        return JobLine(state, "xoooo" if job.bad_file else "ddddx" if job.undeployed else "dxooo")
    return JobLine(state, _LETTERS[state])


def _state(job: Job) -> State:
    if job.status == "cancelled":
        return "cancelled"
    if job.deployed:
        return "served"
    if job.rejected:
        return "refused"
    if job.status == "failed":
        return "failed"
    if job.review:
        return "in_review"
    return _before_review(job)


def _before_review(job: Job) -> State:
    if job.paused:
        return "paused"
    if job.finished or job.approved:
        return "scoring"
    if job.status == "running":
        return "training"
    return "queued" if job.status == "queued" else "checking_data"

"""The review of one checkpoint: its life from the first item to the evidence."""

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from services.review.ownership import Caller, NotOwner
from services.review.policies.domain.evidence import HumanEvidence
from services.review.policies.domain.policy import Policy
from shared.events import Candidate, ReviewWaiting

Status = Literal["open", "sealing", "adjudicating", "scored", "closed", "cancelled", "superseded"]
UNFINISHED: tuple[Status, ...] = ("open", "sealing", "adjudicating", "scored")
MAX_ENTRIES = 200


class WrongState(Exception):
    """The review is in a state in which this cannot be done; the message says which."""


class OwnJob(Exception):
    """The policy does not allow people to decide over their own job."""


class Entry(BaseModel):
    """One line of a review's log. `at` is in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    at: int
    by: str
    action: str
    reason: str = ""


class Review(BaseModel):
    """What is known of one review; items and scores are stored apart. Times are in Unix seconds.

    `open`: takes scores. `sealing`: all scores are there and are being fixed. `adjudicating`: items on which reviewers
    differ wait for a decision. `scored`: the evidence is complete. `closed`: the verdict was given. `superseded`: a
    newer version of the name was approved meanwhile.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    job_id: str
    candidate: Candidate
    policy: Policy
    items: int
    opened_at: int
    alias: str = ""
    production: str = ""
    """The model in production that answered the items too; empty where none did."""
    status: Status = "open"
    deadline_at: float | None = None
    closed_at: int | None = None
    human: HumanEvidence | None = None
    log: tuple[Entry, ...] = ()
    traceparent: str | None = None
    """The trace of its events, set when it is created."""

    def require_open(self, now: float) -> None:
        """Raise `WrongState` unless the review takes scores."""
        if self.status != "open":
            raise WrongState(f"this review is {self.status} and takes no more scores")
        if self.deadline_at is not None and now >= self.deadline_at:
            raise WrongState("the deadline of this review has passed; ask for a later one")

    def require_not_own(self, caller: Caller) -> None:
        """Raise `OwnJob` where the caller owns the job and the policy forbids it."""
        if self.candidate.owner in caller.ids and not self.policy.own_job:
            raise OwnJob(f"the policy {self.policy.name!r} does not allow people to decide over their own job")

    def adjudicated_by(self, caller: Caller) -> bool:
        """Whether the caller may decide about items on which reviewers differ."""
        named = self.policy.adjudicators
        return caller.admin or not named or not caller.ids.isdisjoint(named)

    def require_adjudicator(self, caller: Caller) -> None:
        """Raise `NotOwner` unless the policy lets the caller decide about disputed items."""
        if not self.adjudicated_by(caller):
            raise NotOwner(f"the policy {self.policy.name!r} does not name you as an adjudicator of disputed items")

    def moved(self, status: Status, entry: Entry, *allowed: Status) -> Self | None:
        """With another status, noted in the log; None where it is there already. Raises `WrongState`."""
        if self.status == status:
            return None
        if self.status not in allowed:
            raise WrongState(f"a review that is {self.status} cannot become {status}")
        return self.ended(status, entry)

    def waiting(self, waits_for: Literal["reviewers", "adjudicators"], items: int, at: int) -> ReviewWaiting:
        """The event that items of this review wait for people."""
        return ReviewWaiting(review_id=self.id, candidate=self.candidate, waits_for=waits_for, items=items, at=at)

    def ended(self, status: Status, entry: Entry) -> Self:
        """With another status, noted in the log."""
        return self.noted(entry).model_copy(update={"status": status})

    def noted(self, entry: Entry) -> Self:
        """With one more line in the log, which keeps the newest ones."""
        return self.model_copy(update={"log": (*self.log, entry)[-MAX_ENTRIES:]})


def questions_id(candidate: Candidate) -> str:
    """The evaluation in which a checkpoint answers the question set of its review."""
    return f"{review_id(candidate)}-questions"


def review_id(candidate: Candidate) -> str:
    """The one review of a checkpoint. Reviewers see the id, so it tells neither job nor step."""
    digest = hashlib.sha256(f"{candidate.job_id}/{candidate.step}".encode()).hexdigest()
    return f"review-{digest[:16]}"

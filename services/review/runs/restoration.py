"""Rebuilds verdicts, and the reviews that led to them, from review's own facts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.review.panels.domain.review import Review
from services.review.policies.domain.evidence import HumanEvidence
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import Ruling
from services.review.runs.domain.run import Run
from shared.events import Candidate, ModelApproved, ModelRejected, PolicyPinned, ReviewScored, Verdict
from shared.store import Collection, Decision

PolicySource = Callable[[str | None, str | None], Awaitable[Policy | None]]

RevisionSource = Callable[[str, int], Awaitable[Policy | None]]


@dataclass(frozen=True)
class RunRestoration:
    """One method for each fact; in an intact database each changes nothing.

    `policy_of` finds the policy of a job by its wish and its stable name, `revision_of` one by name and number. The
    scores of single people are not in any fact: a review is rebuilt with their means.
    """

    runs: Collection[Run]
    reviews: Collection[Review]
    policy_of: PolicySource
    revision_of: RevisionSource

    async def pinned(self, event: PolicyPinned, at: datetime) -> None:
        """The policy of a job was fixed; its revision is restored before this."""
        policy = await self.revision_of(event.policy, event.revision)
        if policy is None:
            raise LookupError(f"revision {event.revision} of the policy {event.policy} is not restored yet")

        def apply(known: Run) -> Decision[Run] | None:
            return None if known.policy is not None else (known.pinned(event.policy, policy), ())

        await self.runs.upsert(Run(job_id=event.job_id, heard_at=at.timestamp()), apply)

    async def scored(self, event: ReviewScored, at: datetime) -> None:
        """The evidence was complete; undecided, until a verdict of the same number says more."""
        candidate, human = event.candidate, _human(event)

        def apply(known: Run) -> Decision[Run] | None:
            if event.decision < known.decisions:
                # The verdict was restored first.
                missing = known.restored and known.human is None and known.decisions == event.decision + 1
                return (known.model_copy(update=evidence), ()) if missing and human else None
            ruling = Ruling(
                outcome="undecided", mode=event.mode, policy=candidate.policy or "", rules=event.rules, reason=""
            )
            return _decided(known, candidate, ruling, event.decision, at).model_copy(update=evidence), ()

        evidence: dict[str, Any] = {"human": human, "item_scores": event.item_scores}
        await self.runs.upsert(_empty(candidate.job_id, at), apply)
        if human is not None:
            await self._restore_review(event, human, int(at.timestamp()))

    async def approved(self, event: ModelApproved, at: datetime) -> None:
        await self._restore_verdict(event.candidate.job_id, event.candidate, event.verdict, event.decision, at)

    async def rejected(self, event: ModelRejected, at: datetime) -> None:
        await self._restore_verdict(event.job_id, event.candidate, event.verdict, event.decision, at)

    async def _restore_verdict(
        self, job_id: str, candidate: Candidate | None, verdict: Verdict, decision: int, at: datetime
    ) -> None:
        def apply(known: Run) -> Decision[Run] | None:
            evidence_only = known.restored and known.status == "undecided" and known.decisions == decision + 1
            if decision < known.decisions and not evidence_only:
                return None
            outcome = verdict.outcome or ("approved" if verdict.approved else "rejected")
            ruling = Ruling.model_validate({**verdict.model_dump(exclude={"approved"}), "outcome": outcome})
            return _decided(known, candidate, ruling, decision, at), ()

        await self.runs.upsert(_empty(job_id, at), apply)

    async def _restore_review(self, event: ReviewScored, human: HumanEvidence, at: int) -> None:
        if await self.reviews.get(event.review_id) is not None:
            return
        candidate = event.candidate
        policy = await self.policy_of(candidate.policy, candidate.suffix)
        if policy is None:
            raise LookupError(f"the policy {candidate.policy} is not restored yet")
        review = Review(
            id=event.review_id,
            job_id=candidate.job_id,
            candidate=candidate,
            policy=policy,
            items=human.items,
            opened_at=at,
            alias=candidate.suffix or "",
            status="closed",
            closed_at=at,
            human=human,
        )
        await self.reviews.create(review)


def _empty(job_id: str, at: datetime) -> Run:
    return Run(job_id=job_id, heard_at=at.timestamp(), restored=True)


def _human(event: ReviewScored) -> HumanEvidence | None:
    if event.score is None or not event.reviewers:
        return None
    items = max(1, len(event.item_scores))
    return HumanEvidence(items=items, reviewers=event.reviewers, score=event.score, criteria={})


def _decided(known: Run, candidate: Candidate | None, ruling: Ruling, decision: int, at: datetime) -> Run:
    superseded = any(rule.rule == "superseded" for rule in ruling.rules)
    changes: dict[str, Any] = {
        "status": "superseded" if superseded else ruling.outcome,
        "ruling": ruling,
        "decided_at": int(at.timestamp()),
        "decisions": decision + 1,
        "restored": True,
    }
    if candidate is not None:
        of_candidate = {"owner": candidate.owner, "alias": candidate.suffix or "", "asked_policy": candidate.policy}
        changes |= {"candidate": candidate, "chosen_step": candidate.step, **of_candidate}
    return known.model_copy(update=changes)

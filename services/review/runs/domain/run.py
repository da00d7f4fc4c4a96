"""One training job as review sees it: its evaluations, its end, and the verdict."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.review.panels.domain.review import review_id
from services.review.policies.domain.evidence import HumanEvidence, Override
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import Ruling, decide, judge_gates
from services.review.runs.domain.advice import Advice
from shared.cloudevents import EventData
from shared.events import (
    Candidate,
    EvalDone,
    ModelApproved,
    ModelRejected,
    ReviewScored,
    RuleOutcome,
    TrainingFinished,
)

Status = Literal["open", "proving", "in_review", "undecided", "approved", "rejected", "closed"]
UNDECIDED: tuple[Status, ...] = ("open", "proving", "in_review", "undecided")


class Run(BaseModel):
    """What is known of one job; evaluations are stored apart, one document each.

    `proving`: the chosen checkpoint is being answered on the test split. `closed`: the training failed or was
    cancelled. `policy` is the revision that was pinned, kept whole.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    owner: str = ""
    alias: str = ""
    asked_policy: str | None = None
    policy_name: str = ""
    policy: Policy | None = None
    evaluated_steps: tuple[int, ...] = ()
    finish: TrainingFinished | None = None
    status: Status = "open"
    chosen_step: int | None = None
    candidate: Candidate | None = None
    choice: str = ""
    """Why the checkpoint was chosen."""
    human: HumanEvidence | None = None
    advice: Advice | None = None
    ruling: Ruling | None = None
    override: Override | None = None
    decided_at: int | None = None
    item_scores: dict[str, float] = Field(default_factory=dict)

    @property
    def id(self) -> str:
        """The job's id."""
        return self.job_id

    @property
    def rank_by(self) -> str:
        """The metric of the private task."""
        return self.policy.rank_by if self.policy else "exact_match"

    def evaluated(self, candidate: Candidate) -> Self:
        """With one more checkpoint that was evaluated; the same one again changes nothing."""
        if candidate.step in self.evaluated_steps:
            return self
        changes = {
            "evaluated_steps": tuple(sorted((*self.evaluated_steps, candidate.step))),
            "owner": self.owner or candidate.owner,
            "alias": self.alias or candidate.suffix or "",
            "asked_policy": self.asked_policy or candidate.policy,
        }
        return self.model_copy(update=changes)

    def finished(self, event: TrainingFinished) -> Self:
        """With the training's end; the first one counts. A training that did not succeed closes the run."""
        if self.finish is not None:
            return self
        status = self.status if event.status == "succeeded" else "closed"
        return self.model_copy(update={"finish": event, "status": status})

    def pinned(self, name: str, policy: Policy | None) -> Self:
        """With the policy of this job; the first one that was found stays."""
        return self if self.policy is not None else self.model_copy(update={"policy_name": name, "policy": policy})

    @property
    def complete(self) -> bool:
        """Whether all evaluations are there and nothing is decided yet. Events arrive in any order."""
        if self.status != "open" or self.finish is None:
            return False
        return set(self.finish.checkpoints) <= set(self.evaluated_steps)

    def chosen(self, evaluation: EvalDone, choice: str, status: Status) -> Self:
        """With the checkpoint that the verdict is about."""
        candidate = evaluation.candidate
        changes = {"chosen_step": candidate.step, "candidate": candidate, "choice": choice, "status": status}
        return self.model_copy(update=changes)

    def decided(
        self, evaluation: EvalDone, now: int, human: HumanEvidence | None = None, advice: Advice | None = None
    ) -> tuple[Self, Sequence[EventData]]:
        """With the verdict over the chosen checkpoint, and the events that follow."""
        assert self.policy is not None
        run = self.model_copy(update={"human": human or self.human, "advice": advice or self.advice})
        return run._with(decide(self.policy, evaluation, run.human, self.override), now)

    def overridden(self, evaluation: EvalDone, override: Override) -> tuple[Self, Sequence[EventData]]:
        """With a person's decision in place of the verdict."""
        return self.model_copy(update={"override": override}).decided(evaluation, override.at)

    def refused(self, reason: str, now: int) -> tuple[Self, Sequence[EventData]]:
        """Rejected because the policy cannot be applied, or because there is no checkpoint."""
        rule = RuleOutcome(rule="policy", figure=None, limit=None, passed=False, reason=reason)
        mode = self.policy.mode if self.policy else "automatic"
        ruling = Ruling(outcome="rejected", mode=mode, policy=self.policy_name, rules=(rule,), reason=reason)
        changes = {"status": "rejected", "ruling": ruling, "decided_at": now}
        event = ModelRejected(job_id=self.job_id, candidate=self.candidate, verdict=ruling.verdict())
        return self.model_copy(update=changes), [event]

    def _with(self, ruling: Ruling, now: int) -> tuple[Self, Sequence[EventData]]:
        if not self.override and not self.human:
            reason = (
                f"{self.choice}; {ruling.reason}" if ruling.approved else f"{self.choice}; it fails: {ruling.reason}"
            )
            ruling = ruling.model_copy(update={"reason": reason})
        run = self.model_copy(update={"ruling": ruling, "status": ruling.outcome, "decided_at": now})
        return run, run._events(ruling)

    def _events(self, ruling: Ruling) -> list[EventData]:
        assert self.candidate is not None
        scored, verdict = self._scored(self.candidate, ruling), ruling.verdict()
        if ruling.outcome == "undecided":
            return [scored]
        if ruling.approved:
            return [scored, ModelApproved(candidate=self.candidate, verdict=verdict)]
        return [scored, ModelRejected(job_id=self.job_id, candidate=self.candidate, verdict=verdict)]

    def _scored(self, candidate: Candidate, ruling: Ruling) -> ReviewScored:
        return ReviewScored(
            review_id=review_id(candidate),
            candidate=candidate,
            mode=ruling.mode,
            score=self.human.score if self.human else None,
            reviewers=self.human.reviewers if self.human else 0,
            rules=ruling.rules,
            # The evaluator knows items by their place in the evaluation, and not those of a question set.
            item_scores={} if self.policy and self.policy.questions else self.item_scores,
        )


def choose(policy: Policy, evaluations: Sequence[EvalDone]) -> tuple[EvalDone, str] | None:
    """The best checkpoint that passes the gates, else the best that fails, and why; None where there is none.

    Of equals the earlier step wins; a checkpoint whose metric was not measured comes last.
    """
    if not evaluations:
        return None
    ranked = rank(policy.rank_by, evaluations)
    passing = [each for each in ranked if all(rule.passed for rule in judge_gates(policy, each))]
    best = (passing or ranked)[0]
    if passing:
        which = f"the best by {policy.rank_by} of {len(passing)} checkpoints that pass every gate, out of {len(ranked)}"
    else:
        which = f"the best by {policy.rank_by} of {len(ranked)} checkpoints, of which none passes every gate"
    return best, f"step {best.candidate.step} is {which}"


def rank(metric: str, evaluations: Sequence[EvalDone]) -> list[EvalDone]:
    """Best first."""

    def order(evaluation: EvalDone) -> tuple[bool, float, int]:
        score = None if evaluation.error else evaluation.scores.get(metric)
        return (score is None, -score.value if score else 0.0, evaluation.candidate.step)

    return sorted(evaluations, key=order)

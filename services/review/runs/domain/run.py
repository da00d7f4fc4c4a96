"""One training job as review sees it: its evaluations, its end, and the verdict."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.review.panels.domain.review import review_id
from services.review.policies.domain.evidence import HumanEvidence, Override
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import Ruling, decide
from services.review.runs.domain.advice import Advice
from services.review.runs.domain.proof import proof_id
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

Status = Literal["open", "proving", "in_review", "undecided", "approved", "rejected", "superseded", "closed"]
UNDECIDED: tuple[Status, ...] = ("open", "proving", "in_review", "undecided")
DECIDED: tuple[Status, ...] = ("approved", "rejected", "undecided")


class UnknownRun(Exception):
    """Review has not heard of the job."""


class Run(BaseModel):
    """What is known of one job; evaluations are stored apart, one document each.

    `proving`: the chosen checkpoint is asked the test split. `superseded`: a newer version of the name was approved
    while this one waited for people. `closed`: the training failed or was cancelled. `policy` is the revision that was
    pinned, kept whole; `questions_revision` is that of its question set.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    owner: str = ""
    alias: str = ""
    asked_policy: str | None = None
    policy_name: str = ""
    policy: Policy | None = None
    questions_revision: int | None = None
    heard_at: float = 0
    """When the first event about the job arrived, in Unix seconds; orders the jobs of one name."""
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
    decisions: int = 0
    """How many verdicts were given, with those after a reopened review and by overrides."""
    item_scores: dict[str, float] = Field(default_factory=dict)
    restored: bool = False
    """The verdict was rebuilt from its facts; what followed from it has facts too."""
    traceparent: str | None = None
    """The trace of its events, set when it is created."""

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

    def pinned(self, name: str, policy: Policy | None, questions_revision: int | None = None) -> Self:
        """With the policy of this job; the first one that was found stays."""
        changes = {"policy_name": name, "policy": policy, "questions_revision": questions_revision}
        return self if self.policy is not None else self.model_copy(update=changes)

    @property
    def complete(self) -> bool:
        """Whether all evaluations are there and nothing is decided yet. Events arrive in any order."""
        if self.status != "open" or self.finish is None:
            return False
        return set(self.finish.checkpoints) <= set(self.evaluated_steps)

    def awaits(self, evaluation_id: str) -> bool:
        """Whether this evaluation is the proof of the chosen checkpoint."""
        return self.chosen_step is not None and evaluation_id == proof_id(self.job_id, self.chosen_step)

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
        return run._with(decide(self.policy, evaluation, run.human, self.override), evaluation, now)

    def overridden(self, evaluation: EvalDone, override: Override) -> tuple[Self, Sequence[EventData]]:
        """With a person's decision in place of the verdict."""
        return self.model_copy(update={"override": override}).decided(evaluation, override.at)

    def superseded(self, newer: str, now: int) -> tuple[Self, Sequence[EventData]]:
        """Ended without a verdict of its own, because the version of a newer job was approved."""
        reason = f"the job {newer} is newer, and its version was approved under the same name"
        rule = RuleOutcome(rule="superseded", figure=None, limit=None, passed=False, reason=reason)
        mode = self.policy.mode if self.policy else "automatic"
        ruling = Ruling(outcome="rejected", mode=mode, policy=self.policy_name, rules=(rule,), reason=reason)
        changes = {"status": "superseded", "ruling": ruling, "decided_at": now, "decisions": self.decisions + 1}
        return self.model_copy(update=changes), [self._rejected(ruling)]

    def refused(self, reason: str, now: int) -> tuple[Self, Sequence[EventData]]:
        """Rejected because the policy cannot be applied, or because there is no checkpoint."""
        rule = RuleOutcome(rule="policy", figure=None, limit=None, passed=False, reason=reason)
        mode = self.policy.mode if self.policy else "automatic"
        ruling = Ruling(outcome="rejected", mode=mode, policy=self.policy_name, rules=(rule,), reason=reason)
        changes = {"status": "rejected", "ruling": ruling, "decided_at": now, "decisions": self.decisions + 1}
        return self.model_copy(update=changes), [self._rejected(ruling)]

    def _with(self, ruling: Ruling, evaluation: EvalDone, now: int) -> tuple[Self, Sequence[EventData]]:
        if not self.override and not self.human:
            reason = f"{self.choice}; {ruling.reason}"
            ruling = ruling.model_copy(update={"reason": reason})
        changes = {"ruling": ruling, "status": ruling.outcome, "decided_at": now, "decisions": self.decisions + 1}
        return self.model_copy(update=changes), self._events(ruling, evaluation)

    def _events(self, ruling: Ruling, evaluation: EvalDone) -> list[EventData]:
        assert self.candidate is not None
        scored = self._scored(self.candidate, ruling, evaluation)
        if ruling.outcome == "undecided":
            return [scored]
        if ruling.approved:
            verdict = ruling.verdict()
            return [
                scored,
                ModelApproved(candidate=self.candidate, verdict=verdict, advice=self._advice, decision=self.decisions),
            ]
        return [scored, self._rejected(ruling)]

    def _rejected(self, ruling: Ruling) -> ModelRejected:
        return ModelRejected(
            job_id=self.job_id,
            candidate=self.candidate,
            verdict=ruling.verdict(),
            advice=self._advice,
            decision=self.decisions,
        )

    def _scored(self, candidate: Candidate, ruling: Ruling, evaluation: EvalDone) -> ReviewScored:
        # The evaluator knows items by their place in the samples, and not those of a question set.
        item_scores = {} if self.policy and self.policy.questions else self.item_scores
        return ReviewScored(
            review_id=review_id(candidate),
            candidate=candidate,
            mode=ruling.mode,
            score=self.human.score if self.human else None,
            reviewers=self.human.reviewers if self.human else 0,
            rules=ruling.rules,
            item_scores=item_scores,
            samples=evaluation.samples if item_scores else None,
            advice=self._advice,
            decision=self.decisions,
        )

    @property
    def _advice(self) -> str:
        return self.advice.text if self.advice else ""

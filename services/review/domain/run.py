"""One training job as review sees it: its evaluations, its end, and the decision over them."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.review.domain.policy import Policy
from shared.cloudevents import EventData
from shared.events import (
    Candidate,
    EvalDone,
    ModelApproved,
    ModelRejected,
    ReviewScored,
    RuleOutcome,
    TrainingFinished,
    Verdict,
)

Status = Literal["open", "in_review", "approved", "rejected", "closed"]


class Run(BaseModel):
    """What is known of one job. `closed` means that its training failed or was cancelled.

    `policy` is the one that was applied, kept whole; `chosen_step` is the checkpoint that the decision is about.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    evaluations: tuple[EvalDone, ...] = ()
    finish: TrainingFinished | None = None
    status: Status = "open"
    policy: Policy | None = None
    chosen_step: int | None = None
    rules: tuple[RuleOutcome, ...] = ()
    verdict: Verdict | None = None

    def evaluated(self, event: EvalDone) -> "Run":
        """With one more evaluation; the first of each checkpoint counts."""
        if any(known.candidate.step == event.candidate.step for known in self.evaluations):
            return self
        evaluations = sorted((*self.evaluations, event), key=lambda e: e.candidate.step)
        return self.model_copy(update={"evaluations": tuple(evaluations)})

    def finished(self, event: TrainingFinished) -> "Run":
        """With the training's end; the first counts. A training that did not succeed closes the run."""
        if self.finish is not None:
            return self
        status = self.status if event.status == "succeeded" else "closed"
        return self.model_copy(update={"finish": event, "status": status})

    @property
    def complete(self) -> bool:
        """Whether everything is known and nothing decided yet. Events arrive in any order."""
        if self.status != "open" or self.finish is None:
            return False
        return set(self.finish.checkpoints) <= {e.candidate.step for e in self.evaluations}

    @property
    def policy_name(self) -> str | None:
        """The policy that the job asked for."""
        return next((e.candidate.policy for e in self.evaluations if e.candidate.policy), None)

    @property
    def chosen(self) -> EvalDone | None:
        """The evaluation of the checkpoint that the decision is about."""
        return next((e for e in self.evaluations if e.candidate.step == self.chosen_step), None)

    def decide(self, policy: Policy) -> tuple["Run", Sequence[EventData]]:
        """Apply a policy to a complete run: choose the best checkpoint that passes, or else the best that fails."""
        ranked = self._ranked(policy.rank_by)
        judged = [(e, policy.judge(e)) for e in ranked]
        passing = [(e, rules) for e, rules in judged if all(rule.passed for rule in rules)]
        if passing and policy.mode == "hybrid":
            return self._decided("in_review", policy, *passing[0], None), ()
        if passing:
            evaluation, rules = passing[0]
            verdict = Verdict(
                approved=True,
                mode=policy.mode,
                policy=policy.name,
                rules=rules,
                reason=f"step {evaluation.candidate.step} is the best by {policy.rank_by} of "
                f"{len(passing)} checkpoints that pass every rule, out of {len(judged)}",
            )
            events = [_scored(evaluation, verdict), ModelApproved(candidate=evaluation.candidate, verdict=verdict)]
            return self._decided("approved", policy, evaluation, rules, verdict), events
        return self._reject(policy, judged[0] if judged else None)

    def refuse(self, policy_name: str, reason: str) -> tuple["Run", Sequence[EventData]]:
        """Reject a complete run that its policy cannot be applied to."""
        rule = RuleOutcome(rule="policy", figure=None, limit=None, passed=False, reason=reason)
        verdict = Verdict(approved=False, mode="automatic", policy=policy_name, rules=(rule,), reason=reason)
        best = self.chosen or next(iter(self._ranked("exact_match")), None)
        event = ModelRejected(job_id=self.job_id, candidate=best.candidate if best else None, verdict=verdict)
        return self.model_copy(update={"status": "rejected", "rules": (rule,), "verdict": verdict}), [event]

    def _reject(
        self, policy: Policy, best: tuple[EvalDone, tuple[RuleOutcome, ...]] | None
    ) -> tuple["Run", Sequence[EventData]]:
        evaluation, rules = best or (None, ())
        failed = "; ".join(rule.reason for rule in rules if not rule.passed)
        reason = f"no checkpoint passes; the best one fails: {failed}" if best else "the training saved no checkpoint"
        verdict = Verdict(approved=False, mode=policy.mode, policy=policy.name, rules=rules, reason=reason)
        candidate = evaluation.candidate if evaluation else None
        rejected = ModelRejected(job_id=self.job_id, candidate=candidate, verdict=verdict)
        events = [_scored(evaluation, verdict), rejected] if evaluation else [rejected]
        return self._decided("rejected", policy, evaluation, rules, verdict), events

    def _decided(
        self,
        status: Status,
        policy: Policy,
        evaluation: EvalDone | None,
        rules: tuple[RuleOutcome, ...],
        verdict: Verdict | None,
    ) -> "Run":
        step = evaluation.candidate.step if evaluation else None
        changes = {"status": status, "policy": policy, "chosen_step": step, "rules": rules, "verdict": verdict}
        return self.model_copy(update=changes)

    def _ranked(self, metric: str) -> list[EvalDone]:
        """Best first; of equals the earlier step, and what was not measured last."""

        def order(evaluation: EvalDone) -> tuple[bool, float, int]:
            score = None if evaluation.error else evaluation.scores.get(metric)
            return (score is None, -score.value if score else 0.0, evaluation.candidate.step)

        return sorted(self.evaluations, key=order)


def review_id(candidate: Candidate) -> str:
    """The one review of a checkpoint."""
    return f"review-{candidate.job_id}-{candidate.step}"


def _scored(evaluation: EvalDone, verdict: Verdict) -> ReviewScored:
    return ReviewScored(
        review_id=review_id(evaluation.candidate),
        candidate=evaluation.candidate,
        mode=verdict.mode,
        score=None,
        reviewers=0,
        rules=verdict.rules,
    )

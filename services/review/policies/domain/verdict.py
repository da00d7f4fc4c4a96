"""One pure function from evidence to verdict."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.review.policies.domain.evidence import Agreement, HumanEvidence, Override
from services.review.policies.domain.policy import Mode, Policy
from shared.events import EvalDone, RuleOutcome, Verdict

Outcome = Literal["approved", "rejected", "undecided"]


class Ruling(BaseModel):
    """What follows from the evidence: the outcome with every rule that led to it."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    mode: Mode
    policy: str
    rules: tuple[RuleOutcome, ...]
    reason: str
    override: Override | None = None

    @property
    def approved(self) -> bool:
        """Whether the checkpoint may be served."""
        return self.outcome == "approved"

    def verdict(self) -> Verdict:
        """The ruling as events carry it."""
        fields = self.model_dump(exclude={"override"})
        return Verdict.model_validate({**fields, "approved": self.approved})


def decide(
    policy: Policy, evaluation: EvalDone, human: HumanEvidence | None = None, override: Override | None = None
) -> Ruling:
    """Every rule with its outcome, and what follows from all of them.

    A failed rule rejects. Missing scores or too little agreement leave what would else be approved or rejected by
    people undecided. An override replaces the outcome and keeps the rules.
    """
    gates = judge_gates(policy, evaluation)
    if policy.mode == "automatic" or not _all_passed(gates):
        outcome: Outcome = "approved" if _all_passed(gates) else "rejected"
        return _verdict(policy, outcome, gates, override)
    if human is None:
        waiting = RuleOutcome(
            rule="human_score", figure=None, limit=policy.human_score_at_least, passed=False, reason="waits for people"
        )
        return _verdict(policy, "undecided", (*gates, waiting), override)
    people, trust = _people(policy, human), (*_missing(human), *_agreement(policy, human))
    outcome = "approved" if _all_passed(people) else "rejected"
    if not _all_passed(trust):
        outcome = "undecided"
    return _verdict(policy, outcome, (*gates, *trust, *people), override)


def judge_gates(policy: Policy, evaluation: EvalDone) -> tuple[RuleOutcome, ...]:
    """Each gate's outcome. An evaluation that failed passes none."""
    if evaluation.error is not None:
        return (_unmeasured(f"could not be evaluated: {evaluation.error.message}"),)
    outcomes = tuple(gate.judge(evaluation) for gate in policy.gates if gate.applies(evaluation))
    if not outcomes and policy.mode == "automatic":
        return (_unmeasured("all gates compare with production, and no version is in production: add another gate"),)
    return outcomes


def _people(policy: Policy, human: HumanEvidence) -> tuple[RuleOutcome, ...]:
    """The outcomes of the rules on people's scores."""
    by = "1 reviewer" if human.reviewers == 1 else f"{human.reviewers} reviewers"
    interval = f" ({human.interval.low:.1f} to {human.interval.high:.1f})" if human.interval else ""
    whole = _at_least("human_score", human.score, policy.human_score_at_least, ".1f", f"{interval}, by {by}")
    single = (
        _at_least(f"human {name}", human.criteria.get(name), least, ".2f", "")
        for name, least in sorted(policy.criterion_at_least.items())
    )
    return (whole, *single)


def _missing(human: HumanEvidence) -> tuple[RuleOutcome, ...]:
    """The outcome of the rule that all wanted scores are there; nothing where they are."""
    if not human.missing:
        return ()
    reason = f"{human.missing} scores were missing at the deadline"
    return (RuleOutcome(rule="scores missing at_most 0", figure=human.missing, limit=0, passed=False, reason=reason),)


def _agreement(policy: Policy, human: HumanEvidence) -> tuple[RuleOutcome, ...]:
    """The outcomes of the rule on agreement, one for each criterion that weighs anything."""
    least = policy.agreement_at_least
    if least is None:
        return ()
    names = [each.name for each in policy.rubric.criteria if each.weight]
    return tuple(_agreed(policy, name, least, human.agreement.get(name)) for name in names)


def _agreed(policy: Policy, name: str, least: float, found: Agreement | None) -> RuleOutcome:
    rule = f"agreement on {name}"
    if found is None or found.n == 0:
        reason = f"{rule}: no item has two scores"
        return RuleOutcome(rule=f"{rule} at_least {least:g}", figure=None, limit=least, passed=False, reason=reason)
    if found.alpha is not None:
        return _at_least(rule, found.alpha, least, ".3f", f" (alpha over {found.n} items)")
    # The figure that the rule rests on is then the raw agreement.
    passed = policy.undefined_agreement == "accept" and found.raw is not None
    reason = f"{rule}: alpha is undefined because all scores are equal; raw agreement {found.raw or 0:.0%}"
    return RuleOutcome(rule=f"{rule} at_least {least:g}", figure=found.raw, limit=least, passed=passed, reason=reason)


def _at_least(name: str, figure: float | None, limit: float, digits: str, more: str) -> RuleOutcome:
    passed = figure is not None and figure >= limit
    shown = "was not measured" if figure is None else f"{figure:{digits}} {'≥' if passed else '<'} {limit:{digits}}"
    rule, reason = f"{name} at_least {limit:g}", f"{name} {shown}{more}"
    return RuleOutcome(rule=rule, figure=figure, limit=limit, passed=passed, reason=reason)


def _verdict(policy: Policy, outcome: Outcome, rules: tuple[RuleOutcome, ...], override: Override | None) -> Ruling:
    failed = [rule.reason for rule in rules if not rule.passed]
    reason = "; ".join(failed) if failed else rules[-1].reason if rules else "no rule"
    if override is not None:
        outcome = "approved" if override.approved else "rejected"
        reason = f"{outcome} by {override.by}: {override.reason}" + (f" (against: {reason})" if failed else "")
    return Ruling(outcome=outcome, mode=policy.mode, policy=policy.name, rules=rules, reason=reason, override=override)


def _all_passed(rules: tuple[RuleOutcome, ...]) -> bool:
    return all(rule.passed for rule in rules)


def _unmeasured(reason: str) -> RuleOutcome:
    return RuleOutcome(rule="evaluated", figure=None, limit=None, passed=False, reason=reason)

"""One pure function from evidence to verdict."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.review.policies.domain.evidence import Agreement, HumanEvidence, Override
from services.review.policies.domain.policy import Mode, Policy
from services.review.policies.domain.rule_words import interval_words, outcome_words
from shared.events import EvalDone, RuleOutcome, Verdict
from shared.rule_figures import rule_sentence

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
            rule=f"human score at least {policy.human_score_at_least:g}",
            figure=None,
            limit=policy.human_score_at_least,
            passed=False,
            reason="waits for people",
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
    answers = _counted(human.items, "answer")
    interval = f"{interval_words(human.interval, scale=100)}, " if human.interval else ""
    by = f"{interval}{answers} by {_counted(human.reviewers, 'reviewer')}"
    whole = _at_least("human score", human.score, policy.human_score_at_least, by)
    single = (
        _at_least(f"human {name}", human.criteria.get(name), least, f"the mean of {answers}")
        for name, least in sorted(policy.criterion_at_least.items())
    )
    return (whole, *single)


def _missing(human: HumanEvidence) -> tuple[RuleOutcome, ...]:
    """The outcome of the rule that all wanted scores are there; nothing where they are."""
    if not human.missing:
        return ()
    missing = _counted(human.missing, "score")
    reason = f"{missing} {'was' if human.missing == 1 else 'were'} missing at the deadline"
    return (RuleOutcome(rule="no score missing", figure=human.missing, limit=0, passed=False, reason=reason),)


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
        return _at_least(rule, None, least, f"{rule}: no answer has two scores")
    if found.alpha is not None:
        interval = f", {interval_words(found.interval)}" if found.interval else ""
        return _at_least(rule, found.alpha, least, f"alpha over {_counted(found.n, 'answer')}{interval}")
    # The figure that the rule rests on is then the share of equal pairs.
    passed = policy.undefined_agreement == "accept" and found.raw is not None
    reason = "the share of equal scores, because alpha is undefined where all scores are equal"
    return _at_least(rule, found.raw, least, reason).model_copy(update={"passed": passed})


def _at_least(name: str, figure: float | None, limit: float, reason: str) -> RuleOutcome:
    passed = figure is not None and figure >= limit
    reason = f"{name} was not measured" if figure is None and not reason.startswith(name) else reason
    return RuleOutcome(rule=f"{name} at least {limit:g}", figure=figure, limit=limit, passed=passed, reason=reason)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _verdict(policy: Policy, outcome: Outcome, rules: tuple[RuleOutcome, ...], override: Override | None) -> Ruling:
    if outcome == "undecided":
        reason = "; ".join(rule_sentence(rule) for rule in rules if not rule.passed)
    else:
        reason = outcome_words(rules) if rules else "the policy has no rule"
    if override is not None:
        outcome = "approved" if override.approved else "rejected"
        reason = f"{outcome} by {override.by}: {override.reason}; by the rules, {reason}"
    return Ruling(outcome=outcome, mode=policy.mode, policy=policy.name, rules=rules, reason=reason, override=override)


def _all_passed(rules: tuple[RuleOutcome, ...]) -> bool:
    return all(rule.passed for rule in rules)


def _unmeasured(reason: str) -> RuleOutcome:
    return RuleOutcome(rule="evaluated", figure=None, limit=None, passed=False, reason=reason)

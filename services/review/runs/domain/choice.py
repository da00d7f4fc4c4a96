"""Which of a job's checkpoints the verdict is about."""

from collections.abc import Sequence

from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import judge_gates
from shared.events import EvalDone


def choose(policy: Policy, evaluations: Sequence[EvalDone]) -> tuple[EvalDone, str] | None:
    """The best checkpoint that passes the gates, else the best that fails, and why; None where there is none.

    Of equals the earlier step wins; a checkpoint whose metric was not measured comes last. Where several checkpoints
    are compared, these are figures of the validation split: they choose, and the test split decides.
    """
    if not evaluations:
        return None
    ranked = rank(policy.rank_by, evaluations)
    passing = [each for each in ranked if all(rule.passed for rule in judge_gates(policy, each))]
    best = (passing or ranked)[0]
    return best, _why(best, len(passing), len(ranked), policy.rank_by)


def _why(best: EvalDone, passing: int, of: int, metric: str) -> str:
    """Why this checkpoint, in words that also hold for a single one."""
    checkpoint = f"checkpoint {best.candidate.step}"
    gates = f"every gate{' on the validation split' if best.split == 'validation' else ''}"
    if of == 1:
        return f"{checkpoint} is the only one and {'passed' if passing else 'did not pass'} {gates}"
    passed = f"{passing or 'none'} of {of} checkpoints passed {gates}"
    return f"{passed}: {checkpoint}" if passing == 1 else f"{passed}; {checkpoint} is the best by {metric}"


def rank(metric: str, evaluations: Sequence[EvalDone]) -> list[EvalDone]:
    """Best first."""

    def order(evaluation: EvalDone) -> tuple[bool, float, int]:
        score = None if evaluation.error else evaluation.scores.get(metric)
        return (score is None, -score.value if score else 0.0, evaluation.candidate.step)

    return sorted(evaluations, key=order)

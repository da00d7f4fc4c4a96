"""How a verdict words its rules: intervals, p-values, and what all rules say together."""

import math
from collections.abc import Sequence

from shared.events import Interval, RuleOutcome
from shared.rule_figures import figure_words, rule_sentence


def interval_words(interval: Interval, *, signed: bool = False, scale: float = 1) -> str:
    """An interval such as `95 % interval 0.758 to 0.967`."""
    low, high = (figure_words(each, signed=signed, scale=scale) for each in (interval.low, interval.high))
    return f"{interval.level * 100:.3g} % interval {low} to {high}"


def p_words(p: float) -> str:
    """A p-value with three decimals."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def exactly(figure: float, limit: float) -> str:
    """The figure with more decimals where its usual ones do not tell it from the limit; empty elsewhere."""
    alike = figure_words(figure) == figure_words(limit) and not math.isclose(figure, limit)
    return f"exactly {figure:.6g}" if alike else ""


def outcome_words(rules: Sequence[RuleOutcome]) -> str:
    """What all rules say together: how many passed, or which failed."""
    failed = [rule for rule in rules if not rule.passed]
    if not failed:
        return f"it passed all {len(rules)} rules" if len(rules) > 1 else "it passed its only rule"
    of = f"{len(failed)} of {len(rules)} rules" if len(rules) > 1 else "its only rule"
    return f"it failed {of}: {'; '.join(rule_sentence(rule) for rule in failed)}"

"""A policy's rule in words: its figure, its limit and its sentence, as every page and verdict writes them."""

from shared.events import RuleOutcome

DIGITS = 3


def figure_words(figure: float, *, signed: bool = False, scale: float = 1) -> str:
    """A figure with three decimals, or one on a scale of ten or more; a difference has its sign."""
    digits = DIGITS if abs(scale) < 10 else 1
    rounded = round(figure, digits)
    # Neither −0.000 nor +0.000.
    return (
        f"{0:.{digits}f}" if rounded == 0 else format(rounded, f"{'+' if signed else ''}.{digits}f").replace("-", "−")
    )


def figure_of(rule: RuleOutcome) -> str:
    """The figure of a rule; empty where there is none."""
    return "" if rule.figure is None else figure_words(rule.figure, signed=rule.is_difference, scale=_scale(rule))


def limit_of(rule: RuleOutcome) -> str:
    """The limit of a rule, with as many decimals as its figure; empty where there is none."""
    return "" if rule.limit is None else figure_words(rule.limit, signed=rule.is_difference, scale=_scale(rule))


def rule_sentence(rule: RuleOutcome) -> str:
    """A rule in one sentence: name, figure and reason; without a figure the reason alone."""
    return rule.reason if rule.figure is None else f"{rule.rule}: {figure_of(rule)} ({rule.reason})"


def _scale(rule: RuleOutcome) -> float:
    return max(abs(rule.figure or 0), abs(rule.limit or 0))

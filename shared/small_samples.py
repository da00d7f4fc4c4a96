"""What few items cannot tell."""

FEW = 30
"""Fewer items than this are called few; the shipped policies ask for as many."""
_LEAST_CHANGED = 6
"""The exact McNemar test confirms at 5 % no fewer: 2 · 0.5⁶ = 0.031, but 2 · 0.5⁵ = 0.063 (McNemar 1947)."""


def least_difference(n: int) -> float | None:
    """The smallest difference in the share of right answers that `n` paired items can confirm; None if none can."""
    return _LEAST_CHANGED / n if n >= _LEAST_CHANGED else None


def limits_of(n: int) -> str:
    """What `n` items cannot tell, for people; empty if they are not few."""
    if n >= FEW:
        return ""
    least = least_difference(n)
    if least is None:
        return f"{n} items cannot confirm any difference between two models"
    return f"{n} items cannot confirm a difference of less than {100 * least:.0f} % between two models"

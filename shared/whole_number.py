"""Whole numbers that people type, into forms and tables."""

MAX_DIGITS = 18


def whole_number(text: str) -> int | None:
    """A whole number of at most 18 digits, so that 64 bits hold it; None for other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else None

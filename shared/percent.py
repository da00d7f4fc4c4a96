"""Shares as people read them."""


def percent(share: float, digits: int = 0) -> str:
    """A share from 0 to 1 in per cent; the space does not break."""
    return f"{share * 100:.{digits}f}\u00a0%"

"""Bounds on the size of events, so that no event exceeds NATS's message size.

A bound is declared in a field's type: `Annotated[str, MaxBytes(128)]`, `Annotated[tuple[int, ...], MaxEntries(100)]`.
It holds when an event is published, not when it is read, so that old events stay readable.
"""

from shared.bounds.limits import MESSAGE_BYTES, BoundsError, MaxBytes, MaxEntries
from shared.bounds.models import bound_of, bounded

__all__ = ["MESSAGE_BYTES", "BoundsError", "MaxBytes", "MaxEntries", "bound_of", "bounded"]

"""The outcome of a dataset's check."""

from shared.events import DatasetReady, DatasetRejected, Value


class DatasetOutcome(Value):
    """`id` is the file's; exactly one of the two events is set."""

    id: str
    ready: DatasetReady | None = None
    rejected: DatasetRejected | None = None

"""What was published about a file before the database was lost."""

from pydantic import BaseModel

from shared.events import DatasetReady, DatasetRejected


class Outcome(BaseModel):
    """`id` is the file's. The file's dataset is rebuilt with it, and it is dropped then."""

    id: str
    ready: DatasetReady | None = None
    rejected: DatasetRejected | None = None

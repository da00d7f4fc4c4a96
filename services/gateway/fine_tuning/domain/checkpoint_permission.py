"""A permission of another key to call a checkpoint."""

from pydantic import BaseModel


class CheckpointPermission(BaseModel):
    """A key that may call a checkpoint which is not its own; `at` is in Unix seconds."""

    id: str
    at: float
    model: str
    key_id: str
    removed: bool = False

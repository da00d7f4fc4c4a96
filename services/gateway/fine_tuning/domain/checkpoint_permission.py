"""A permission of another key to call a checkpoint."""

from pydantic import BaseModel


class CheckpointPermission(BaseModel):
    """A key that may call a checkpoint which is not its own; `at` is in Unix seconds."""

    id: str
    at: float
    model: str
    key_id: str
    removed: bool = False
    changed_at: float = 0.0
    """When it was last given or taken back, in Unix seconds."""

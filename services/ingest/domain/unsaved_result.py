"""What a check or a rendering has stored and no other document names yet."""

from pydantic import BaseModel


class UnsavedResult(BaseModel):
    """`id` is that of the dataset or rendering; it is removed once that is saved."""

    id: str
    digests: list[str]

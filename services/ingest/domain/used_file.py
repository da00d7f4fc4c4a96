"""A file that a job named."""

from pydantic import BaseModel


class UsedFile(BaseModel):
    """`id` is the file's. Its splits stay when its dataset is deleted: runs and evaluations read them."""

    id: str

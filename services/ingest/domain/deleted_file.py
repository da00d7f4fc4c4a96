"""A file that its owner deleted."""

from pydantic import BaseModel


class DeletedFile(BaseModel):
    """`id` is the file's. A check that ends after the deletion leaves no dataset."""

    id: str

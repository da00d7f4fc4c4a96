"""Reserves a version number of a series for one file."""

from pydantic import BaseModel


class SeriesNumber(BaseModel):
    """`id` is made of owner, series and number, so that no second file gets the same one."""

    id: str
    file_id: str


def number_id(owner: str, series: str, number: int) -> str:
    """The id of one number of an owner's series."""
    return f"{owner}/{series}/{number}"

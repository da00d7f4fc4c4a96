"""A score as the checks of reviewers read it."""

from pydantic import BaseModel, ConfigDict

LEAST_ITEMS = 10
"""With fewer items nobody is named."""


class Scored(BaseModel):
    """One reviewer's score of one item from 0 to 100, and its points by criterion, in the rubric's order."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    percent: float
    at: float
    points: tuple[float, ...] = ()
    seconds: float | None = None

"""One pair of answers to one question, shown side by side in random order."""

import hashlib
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Side = Literal["left", "right", "tie"]
Winner = Literal["candidate", "production", "tie"]


class Preference(BaseModel):
    """What one reviewer preferred. `at` is in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    winner: Winner
    comment: str = Field(default="", max_length=4000)
    at: float = 0


class Pair(BaseModel):
    """The answers of a checkpoint and of production to one question, with everybody's preferences."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    item_id: str
    prompt: Any
    candidate: str
    production: str
    preferences: dict[str, Preference] = Field(default_factory=dict)

    @property
    def id(self) -> str:
        """The ids of review and item."""
        return f"{self.review_id}/{self.item_id}"

    def candidate_is_left(self, reviewer: str) -> bool:
        """Which side a reviewer sees the checkpoint's answer on: at random, and always the same."""
        return hashlib.sha256(f"{reviewer}/{self.id}".encode()).digest()[0] % 2 == 0

    def shown_to(self, reviewer: str) -> tuple[str, str]:
        """The left and the right answer."""
        if self.candidate_is_left(reviewer):
            return self.candidate, self.production
        return self.production, self.candidate

    def preferred(self, reviewer: str, side: Side, comment: str, at: float) -> Self | None:
        """With a reviewer's preference; None when it is the same again."""
        if side == "tie":
            winner: Winner = "tie"
        else:
            winner = "candidate" if (side == "left") == self.candidate_is_left(reviewer) else "production"
        before = self.preferences.get(reviewer)
        if before is not None and (before.winner, before.comment) == (winner, comment):
            return None
        given = Preference(winner=winner, comment=comment, at=at)
        return self.model_copy(update={"preferences": {**self.preferences, reviewer: given}})

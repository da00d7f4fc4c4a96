"""One pair of answers to one question, shown side by side in random order."""

import hashlib
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Side = Literal["left", "right", "tie"]
Winner = Literal["candidate", "baseline", "tie"]


class Preference(BaseModel):
    """What one reviewer preferred. `at` is in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    winner: Winner
    comment: str = Field(default="", max_length=4000)
    at: float = 0


class ModelAnswer(BaseModel):
    """The answer of one model. `model` is its name, which reviewers do not see."""

    model_config = ConfigDict(frozen=True)

    model: str
    text: str


class Pair(BaseModel):
    """The answers of a checkpoint and of a baseline to one question, with everybody's preferences."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    item_id: str
    prompt: Any
    candidate: ModelAnswer
    baseline: ModelAnswer
    preferences: dict[str, Preference] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """The id that reviewers see. It does not tell which model is the baseline."""
        name = f"{self.review_id}/{self.item_id}/{self.baseline.model}"
        return f"pair-{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    @property
    def id(self) -> str:
        """The ids of review and pair."""
        return f"{self.review_id}/{self.key}"

    def candidate_is_left(self, reviewer: str) -> bool:
        """Which side a reviewer sees the checkpoint's answer on: at random, and always the same."""
        return hashlib.sha256(f"{reviewer}/{self.id}".encode()).digest()[0] % 2 == 0

    def shown_to(self, reviewer: str) -> tuple[str, str]:
        """The left and the right answer."""
        if self.candidate_is_left(reviewer):
            return self.candidate.text, self.baseline.text
        return self.baseline.text, self.candidate.text

    def side_preferred(self, reviewer: str) -> Side | None:
        """The side that a reviewer preferred, as it was shown to them; None where they have not compared yet."""
        given = self.preferences.get(reviewer)
        if given is None or given.winner == "tie":
            return given and "tie"
        return "left" if (given.winner == "candidate") == self.candidate_is_left(reviewer) else "right"

    def preferred(self, reviewer: str, side: Side, comment: str, at: float) -> Self | None:
        """With a reviewer's preference; None when it is the same again."""
        if side == "tie":
            winner: Winner = "tie"
        else:
            winner = "candidate" if (side == "left") == self.candidate_is_left(reviewer) else "baseline"
        before = self.preferences.get(reviewer)
        if before is not None and (before.winner, before.comment) == (winner, comment):
            return None
        given = Preference(winner=winner, comment=comment, at=at)
        return self.model_copy(update={"preferences": {**self.preferences, reviewer: given}})

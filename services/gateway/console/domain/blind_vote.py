"""Which of two answers a person prefers, without knowing whose they are: feedback on each, and a preference."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

from services.gateway.console.domain.preference import MAX_TURNS, Preference, Text, Turn
from shared.events import FeedbackRecorded

CompletionId = Annotated[str, Field(min_length=1, max_length=128)]
ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class BlindVote(BaseModel):
    """Two answers by their ids and models, and which of them is better: one, both are good, or both are bad.

    `prompt` holds the messages that both models were sent; it is empty where they were not the same.
    """

    model_config = ConfigDict(extra="ignore")

    better: Literal["a", "b", "both", "none"]
    a_id: CompletionId
    a_model: ModelName
    b_id: CompletionId
    b_model: ModelName
    prompt: Json[Annotated[list[Turn], Field(max_length=MAX_TURNS)]] = []
    a_text: Text = ""
    b_text: Text = ""

    def feedback(self) -> tuple[FeedbackRecorded, FeedbackRecorded]:
        """The feedback on the answers A and B."""
        return (
            FeedbackRecorded(completion_id=self.a_id, model=self.a_model, rating=self._rating("a")),
            FeedbackRecorded(completion_id=self.b_id, model=self.b_model, rating=self._rating("b")),
        )

    def preference(self, person: str, at: float) -> Preference | None:
        """The row that the vote makes; None where no answer is better, or the prompts were not the same."""
        if self.better not in ("a", "b") or not self.prompt or self.a_text == self.b_text:
            return None
        a, b = (self.a_text, self.a_model), (self.b_text, self.b_model)
        (preferred, preferred_model), (rejected, rejected_model) = (a, b) if self.better == "a" else (b, a)
        return Preference(
            # The same vote again is the same row.
            id=hashlib.sha256(f"{person}/{self.a_id}/{self.b_id}".encode()).hexdigest()[:32],
            owner=person,
            at=at,
            prompt=self.prompt,
            preferred=preferred,
            rejected=rejected,
            preferred_model=preferred_model,
            rejected_model=rejected_model,
        )

    def _rating(self, answer: str) -> Literal["good", "bad"]:
        return "good" if self.better in (answer, "both") else "bad"

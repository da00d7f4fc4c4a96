"""Which of two answers a person prefers, without knowing whose they are; recorded as feedback on each answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import FeedbackRecorded

CompletionId = Annotated[str, Field(min_length=1, max_length=128)]
ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class BlindVote(BaseModel):
    """Two answers by their ids and models, and which of them is better: one, both are good, or both are bad."""

    model_config = ConfigDict(extra="ignore")

    better: Literal["a", "b", "both", "none"]
    a_id: CompletionId
    a_model: ModelName
    b_id: CompletionId
    b_model: ModelName

    def feedback(self) -> tuple[FeedbackRecorded, FeedbackRecorded]:
        """The feedback on the answers A and B."""
        return (
            FeedbackRecorded(completion_id=self.a_id, model=self.a_model, rating=self._rating("a")),
            FeedbackRecorded(completion_id=self.b_id, model=self.b_model, rating=self._rating("b")),
        )

    def _rating(self, answer: str) -> Literal["good", "bad"]:
        return "good" if self.better in (answer, "both") else "bad"

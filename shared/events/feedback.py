"""Events about answers that were served."""

from typing import Annotated, ClassVar, Literal

from shared.bounds import MaxBytes
from shared.cloudevents import Category, EventData
from shared.events.bounded_texts import Id, Name


class FeedbackRecorded(EventData):
    """A user rated an answer."""

    type: ClassVar[str] = "feedback.recorded"
    category: ClassVar[Category] = "request"
    completion_id: Id
    model: Name
    rating: Literal["good", "bad"]
    correction: Annotated[str, MaxBytes(64 * 1024)] | None = None

    def aggregate_id(self) -> str:
        return self.completion_id

    def natural_key(self) -> None:
        return None

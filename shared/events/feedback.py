"""Events about answers that were served."""

from typing import ClassVar, Literal

from shared.cloudevents import EventData


class FeedbackRecorded(EventData):
    """Somebody judged a served answer."""

    type: ClassVar[str] = "feedback.recorded"
    completion_id: str
    model: str
    rating: Literal["good", "bad"]
    correction: str | None = None

    def aggregate_id(self) -> str:
        return self.completion_id

    def natural_key(self) -> None:
        return None

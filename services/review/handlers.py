"""The events that review hears."""

from services.review.service.reviews import Reviews
from shared.bus import Bus
from shared.events import EvalDone, TrainingFinished


def subscribe(bus: Bus, reviews: Reviews) -> None:
    """One use case for each event."""
    bus.subscribe(EvalDone, reviews.evaluated)
    bus.subscribe(TrainingFinished, reviews.finished)

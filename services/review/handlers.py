"""The events that review handles."""

from services.review.runs.service import Runs
from shared.bus import Bus
from shared.events import EvalDone, EvaluationAnswered, TrainingFinished, TrainingRequested


def subscribe(bus: Bus, runs: Runs) -> None:
    """One use case for each event."""
    bus.subscribe(TrainingRequested, runs.requested)
    bus.subscribe(EvaluationAnswered, runs.evaluation_answered)
    bus.subscribe(EvalDone, runs.evaluated)
    bus.subscribe(TrainingFinished, runs.finished)

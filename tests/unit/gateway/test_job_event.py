"""The event list of a fine-tuning job."""

from services.gateway.fine_tuning.domain.job_event import finished
from shared.events import TrainingFinished


def test_a_training_that_ended_early_says_why() -> None:
    event = TrainingFinished(job_id="job", status="succeeded", checkpoints=(30,), stop_reason="validation was perfect")
    assert finished(event).message.endswith("It ended early: validation was perfect")
    assert "ended early" not in finished(event.model_copy(update={"stop_reason": None})).message

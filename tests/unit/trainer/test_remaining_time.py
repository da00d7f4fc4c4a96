"""When a training that runs will end."""

import pytest

from services.trainer.domain.remaining_time import AttemptStart, estimated_end
from services.trainer.domain.worker_messages import Prepared
from tests.unit.trainer.test_training_run import run_of


@pytest.mark.parametrize(
    ("began", "step", "ends_at"),
    [
        (AttemptStart(step=0, at=1000), 10, 1100 + 90 * 10),
        # Only steps of this attempt count, not those before a pause or a crash.
        (AttemptStart(step=40, at=1000), 60, 1100 + 40 * 5),
        (AttemptStart(step=0, at=1000), 100, 1100),
        (AttemptStart(step=40, at=1000), 41, None),
        (AttemptStart(step=0, at=-1e9), 2, None),
        (None, 10, None),
    ],
)
def test_the_pace_of_the_attempt_tells_when_a_training_ends(
    began: AttemptStart | None, step: int, ends_at: float | None
) -> None:
    assert estimated_end(began, step, 100, now=1100) == ends_at


def test_a_new_attempt_has_no_pace_until_its_model_is_loaded() -> None:
    began = AttemptStart(step=0, at=150)
    run = run_of({}).start("a", 100).prepared(Prepared(trainable_share=0.02, began=began))
    assert run.began == began
    assert run.start("b", 200).began is None

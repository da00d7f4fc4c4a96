"""Which questions a job's checkpoints are compared on."""

import pytest

from services.trainer.domain.rows.run_data import RunData
from shared.events import Artifact, Split

TEST = Split(artifact=Artifact(uri="file:///t", sha256="1" * 64, bytes=1), rows=40)
VALIDATION = TEST.model_copy(update={"rows": 30})
EMPTY = TEST.model_copy(update={"rows": 0})


@pytest.mark.parametrize(
    ("checkpoints", "validation", "compared"),
    [(2, VALIDATION, VALIDATION), (1, VALIDATION, None), (2, EMPTY, None), (2, None, None)],
)
def test_only_several_checkpoints_are_compared_and_only_on_questions(
    checkpoints: int, validation: Split | None, compared: Split | None
) -> None:
    data = RunData(train=TEST, validation=validation, test=TEST)
    assert data.compared_on(checkpoints) == compared

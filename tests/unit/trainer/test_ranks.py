"""A batch is shared by a number of processes that divides it."""

import pytest

from services.trainer.adapters.ranks import processes_for

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("batch_size", "asked", "processes"), [(8, 2, 2), (8, 3, 2), (4, 8, 4), (3, 2, 1), (1, 4, 1), (6, 4, 3)]
)
def test_the_number_of_processes_divides_the_batch(batch_size: int, asked: int, processes: int) -> None:
    assert processes_for(batch_size, asked) == processes

"""Rests in long computing."""

import pytest

from shared import pace
from shared.pace import Pace


class Clock:
    """The processor's time, in seconds, and the rests that were taken."""

    def __init__(self) -> None:
        self.worked_s = 0.0
        self.rests: list[float] = []

    def thread_time(self) -> float:
        return self.worked_s

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


@pytest.mark.parametrize(("share", "rest_of_work"), [(1.0, 0), (0.5, 1), (0.25, 3)])
def test_rests_leave_the_share_that_is_asked_for(clock: Clock, share: float, rest_of_work: float) -> None:
    rest = Pace(share).rest
    for _ in range(1000):
        clock.worked_s += 0.0001
        rest()
    assert sum(clock.rests) == pytest.approx(0.1 * rest_of_work, rel=0.05)
    assert all(seconds >= 0.001 for seconds in clock.rests)


def test_rests_are_owed_for_work_and_not_for_waiting(clock: Clock) -> None:
    rest = Pace(0.1).rest
    rest()
    assert clock.rests == []

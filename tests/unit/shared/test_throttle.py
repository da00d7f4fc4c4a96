"""Throttling of long computations."""

import pytest

from shared import throttle
from shared.throttle import Throttle


class Clock:
    """Processor time in seconds, and the sleeps that were taken."""

    def __init__(self) -> None:
        self.worked_s = 0.0
        self.sleeps_s: list[float] = []

    def thread_time(self) -> float:
        return self.worked_s

    def sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


@pytest.mark.parametrize(("share", "sleep_per_work"), [(1.0, 0), (0.5, 1), (0.25, 3)])
def test_work_gets_the_given_share_of_a_core(clock: Clock, share: float, sleep_per_work: float) -> None:
    wait = Throttle(share).wait
    for _ in range(1000):
        clock.worked_s += 0.0001
        wait()
    assert sum(clock.sleeps_s) == pytest.approx(0.1 * sleep_per_work, rel=0.05)
    assert all(seconds >= 0.001 for seconds in clock.sleeps_s)


def test_only_processor_time_counts_as_work(clock: Clock) -> None:
    wait = Throttle(0.1).wait
    wait()
    assert clock.sleeps_s == []

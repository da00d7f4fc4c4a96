"""Interruptions of a run."""

from typing import Literal

from shared.events import Value

Cause = Literal["crash", "outage", "pause", "trainer_left"]


class Interruption(Value):
    """A new attempt went on after `step`, at `at` in Unix seconds.

    `trainer_left`: its trainer was stopped or lost. `outage`: the artifact store was away.
    """

    step: int
    cause: Cause
    at: int

"""Warns of a score of 0 that may say more about the form of the answers than about the model."""

from dataclasses import dataclass

from shared.events import EvalDone

MANY = 0.5
"""The share of answers from which on the form is the first thing to look at."""


@dataclass(frozen=True)
class UnreadWarning:
    """A metric whose score is 0 while many answers do not have the form that it reads."""

    metric: str
    unreadable: int
    n: int

    @property
    def words(self) -> str:
        return (
            f"{self.metric} is 0, and {self.unreadable} of {self.n} answers do not have the form that it reads: "
            "look at the answers, and at the prompt or the metric, before you look at the model"
        )


def unread_warnings(done: EvalDone) -> list[UnreadWarning]:
    """One warning for each metric that is 0 where at least half of the answers could not be read."""
    found = [(name, count, done.scores[name]) for name, count in done.unreadable.items() if name in done.scores]
    return [
        UnreadWarning(name, count, score.n)
        for name, count, score in found
        if score.value == 0 and count >= MANY * score.n
    ]

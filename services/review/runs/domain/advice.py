"""What the joint movement of human, private and general scores means, in words."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

Direction = Literal["up", "down", "same"]


class Figure(BaseModel):
    """A score with its interval, from 0 to 1 or 0 to 100; without an interval each difference counts."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None = None
    high: float | None = None


class Standing(BaseModel):
    """The three scores of one version; None where one was not measured."""

    model_config = ConfigDict(frozen=True)

    version: str
    human: Figure | None = None
    private: Figure | None = None
    general: Figure | None = None


class Movement(BaseModel):
    """How the three scores moved since another version; None where one of the two was not measured."""

    model_config = ConfigDict(frozen=True)

    since: str
    human: Direction | None = None
    private: Direction | None = None
    general: Direction | None = None


class Advice(BaseModel):
    """What to do next, and the movements it rests on."""

    model_config = ConfigDict(frozen=True)

    text: str
    movements: tuple[Movement, ...]


def movement(before: Standing, after: Standing, since: str) -> Movement:
    """How `after` differs from `before`."""
    return Movement(
        since=since,
        human=direction(before.human, after.human),
        private=direction(before.private, after.private),
        general=direction(before.general, after.general),
    )


def direction(before: Figure | None, after: Figure | None) -> Direction | None:
    """Up or down where the difference exceeds both intervals taken together, else the same."""
    if before is None or after is None:
        return None
    difference = after.value - before.value
    if abs(difference) <= math.hypot(_half(before), _half(after)):
        return "same"
    return "up" if difference > 0 else "down"


def advise(movements: tuple[Movement, ...]) -> Advice | None:
    """Advice on the first movement that calls for something; None where nothing was compared."""
    known = tuple(each for each in movements if (each.human, each.private, each.general) != (None, None, None))
    if not known:
        return None
    texts = [(each, _read(each)) for each in known]
    moved, text = next(((each, text) for each, text in texts if text != _SAME), texts[0])
    return Advice(text=f"Since {moved.since}: {text}", movements=known)


_SAME = "No score moved clearly. Score more items, or change the data, before you train again."


def _read(moved: Movement) -> str:
    given = [each for each in (moved.human, moved.private, moved.general) if each is not None]
    if len(given) > 1 and all(each == "down" for each in given):
        return "All scores fell. Look at the data first: wrong labels, a wrong template, or rows of another task."
    if moved.general == "down":
        return (
            "General ability fell. Go back to the last good checkpoint and mix general data into the training "
            "(general_file and general_share)."
        )
    if (moved.human, moved.private) == ("up", "up"):
        return "People and the private task both score higher. Go on in this direction."
    if (moved.human, moved.private) == ("up", "down"):
        return "People score higher, the private task lower. Something is wrong with the task or its data: check it."
    if (moved.human, moved.private) == ("down", "up"):
        return "The private task scores higher, people lower. The task does not measure what people value: change it."
    if moved.human == "down":
        return "People score lower. Read the items with the lowest scores and their comments before you train again."
    if moved.private == "down":
        return "The private task scores lower. Compare the items that were lost with the version before."
    if "up" in given:
        return "Scores rose and none fell. Go on in this direction."
    return _SAME


def _half(figure: Figure) -> float:
    return 0.0 if figure.low is None or figure.high is None else (figure.high - figure.low) / 2

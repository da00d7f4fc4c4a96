"""What is advised about each joint movement of human, private and general scores."""

import pytest

from services.review.runs.domain.advice import Figure, Movement, Standing, advise, direction, movement


@pytest.mark.parametrize(
    ("human", "private", "general", "begin"),
    [
        ("up", "up", "same", "People and the private task both score higher. Go on"),
        ("up", "down", "same", "People score higher, the private task lower. Something is wrong with the task"),
        ("up", "up", "down", "General ability fell. Go back to the last good checkpoint and mix general data"),
        ("down", "down", "down", "All scores fell. Look at the data first"),
        ("down", "up", "same", "The private task scores higher, people lower."),
        ("same", "same", "same", "No score moved clearly."),
        (None, "up", None, "Scores rose and none fell."),
        (None, "down", None, "The private task scores lower."),
    ],
)
def test_each_movement_has_its_advice(human, private, general, begin) -> None:
    moved = Movement(since="the last reviewed version", human=human, private=private, general=general)
    advice = advise((moved,))
    assert advice is not None
    assert advice.text.startswith(f"Since the last reviewed version: {begin}")


def test_without_a_version_to_compare_with_there_is_no_advice() -> None:
    assert advise(()) is None
    assert advise((Movement(since="production"),)) is None


def test_the_first_movement_that_calls_for_something_is_told() -> None:
    still = Movement(since="the last reviewed version", human="same", private="same")
    fallen = Movement(since="the version in production", general="down", private="up")
    advice = advise((still, fallen))
    assert advice is not None
    assert advice.text.startswith("Since the version in production: General ability fell.")
    assert advice.movements == (still, fallen)


def test_a_difference_within_both_intervals_is_no_movement() -> None:
    before, after = Figure(value=70, low=65, high=75), Figure(value=76, low=71, high=81)
    assert direction(before, after) == "same"
    assert direction(before, Figure(value=78, low=73, high=83)) == "up"
    assert direction(Figure(value=0.8), Figure(value=0.79)) == "down"
    assert direction(None, after) is None
    moved = movement(Standing(version="a", human=before), Standing(version="b", human=after), "a")
    assert (moved.human, moved.private, moved.general) == ("same", None, None)

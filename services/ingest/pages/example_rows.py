"""An example row of each shape, written by the shape itself, so that it can be uploaded as it is shown."""

import json
from collections.abc import Iterator

from services.ingest.shapes.canonical import Conversation, LabelledAnswer, Message, PlainText, Preference, Question, Row
from services.ingest.shapes.catalog import SHAPES

_QUESTION, _ANSWER = "Do you deliver on Saturdays?", "Yes, until noon."
_ASKED = Message(role="user", content=_QUESTION)
_GOOD = Message(role="assistant", content=_ANSWER)
_BAD = Message(role="assistant", content="No idea.")
_ROWS: tuple[Row, ...] = (
    Conversation(messages=(_ASKED, _GOOD)),
    PlainText(text="Parcels leave at six in the evening."),
    Preference(input=Question(messages=(_ASKED,)), preferred_output=(_GOOD,), non_preferred_output=(_BAD,)),
    LabelledAnswer(input=Question(messages=(_ASKED,)), output=(_GOOD,), label=True),
)


def example_rows() -> list[tuple[str, str]]:
    """Name of each shape and one row of it as JSON, the shapes that can be trained on first."""
    return [(name, json.dumps(row, ensure_ascii=False)) for row in _ROWS for name, row in _written(row)]


def _written(row: Row) -> Iterator[tuple[str, dict[str, object]]]:
    for name, shape in SHAPES.items():
        if (written := shape.write(row)) is not None:
            yield name, written

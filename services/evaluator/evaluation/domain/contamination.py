"""Which questions of an evaluation the training rows contain, by the same comparison as before training."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.contamination import QuestionIndex


class TrainingPrompts:
    """The prompt and the last answer of each training row; a line without messages is one prompt."""

    def __init__(self, rows: bytes) -> None:
        said = [_prompt_and_answer(line) for line in rows.split(b"\n") if line.strip()]
        self.prompts = [prompt for prompt, _answer in said]
        self.answers = [answer for _prompt, answer in said]


def asked_text(row: Mapping[str, Any]) -> str:
    """The text of a line of answers to look for: its question, or the whole conversation if there is none."""
    return str(row.get("question") or "") or conversation_text(row["prompt"])


def contaminated(questions: Sequence[str], training: TrainingPrompts) -> list[bool]:
    """Whether the training rows contain each question."""
    index = QuestionIndex(questions)
    seen = {twin.question for twin in index.find(training.prompts, training.answers)}
    return [number in seen for number in range(len(questions))]


def conversation_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """All messages except the system's."""
    return "\n".join(str(each.get("content") or "") for each in messages if each.get("role") != "system")


def _prompt_and_answer(line: bytes) -> tuple[str, str]:
    try:
        row = json.loads(line)
        if "text" in row:
            return str(row["text"]), ""
        messages = row["messages"]
        return conversation_text(messages[:-1]), conversation_text(messages[-1:])
    except (ValueError, KeyError, TypeError, AttributeError):
        return line.decode(errors="replace"), ""

"""A prompt as turns of a conversation."""

import json
from typing import Any


def turns(prompt: Any) -> list[tuple[str, str]]:
    """Role and text of each turn; a prompt of another shape is one turn of the user."""
    if isinstance(prompt, list) and all(isinstance(turn, dict) for turn in prompt):
        return [(str(turn.get("role", "user")), _text(turn.get("content"))) for turn in prompt]
    return [("user", _text(prompt))]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)

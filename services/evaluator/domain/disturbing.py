"""Questions as hurried people type them: the same task asked so shows how much its score leans on clean input."""

import random
from collections.abc import Callable
from typing import Literal

Disturbance = Literal["typos", "lower_case", "no_punctuation"]
ONE_IN = 12
"""Of so many characters of a word one is mistyped."""


def disturbed(text: str, how: Disturbance, seed: int) -> str:
    """The text with that disturbance; the same seed gives the same text."""
    # Nothing secret hangs on the draw.
    return _HOW[how](text, random.Random(f"{seed}{text}"))  # noqa: S311


def _typos(text: str, draw: random.Random) -> str:
    """Neighbouring letters change places, one is left out, or one is typed twice."""
    characters = list(text)
    for at in range(len(characters) - 1):
        if not (characters[at].isalpha() and characters[at + 1].isalpha()) or draw.randrange(ONE_IN):
            continue
        match draw.randrange(3):
            case 0:
                characters[at], characters[at + 1] = characters[at + 1], characters[at]
            case 1:
                characters[at] = ""
            case _:
                characters[at] *= 2
    return "".join(characters)


def _lower_case(text: str, _draw: random.Random) -> str:
    return text.lower()


def _no_punctuation(text: str, _draw: random.Random) -> str:
    return "".join(character for character in text if character.isalnum() or character.isspace())


_HOW: dict[Disturbance, Callable[[str, random.Random], str]] = {
    "typos": _typos,
    "lower_case": _lower_case,
    "no_punctuation": _no_punctuation,
}

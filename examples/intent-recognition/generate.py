"""Writes the intent-recognition data set: customer messages in, one label out; the same rows for the same seed."""

import argparse
import json
import random
from pathlib import Path

from vocabulary import FILLERS, GREETINGS, SENTENCES, SLOTS

SYSTEM = "Name the customer's intent."
_CHINESE_SHARE = 0.2
_MISTYPED_SHARE = 0.1


def conversation(rng: random.Random) -> dict[str, list[dict[str, str]]]:
    """One row in OpenAI's chat format: a message with small talk around it, and its intent."""
    language = "zh" if rng.random() < _CHINESE_SHARE else "en"
    intent = rng.choice(sorted(SENTENCES[language]))
    parts = [_fill(rng.choice(SENTENCES[language][intent]), language, rng)]
    if rng.random() < 0.4:
        parts.insert(0, rng.choice(GREETINGS[language]))
    if rng.random() < 0.35:
        parts.append(rng.choice(FILLERS[language]))
    said = ("" if language == "zh" else " ").join(parts)
    if language == "en" and rng.random() < _MISTYPED_SHARE:
        said = _mistyped(said, rng)
    turns = (("system", SYSTEM), ("user", said), ("assistant", intent))
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def rows(count: int, seed: int) -> list[dict[str, list[dict[str, str]]]]:
    """`count` rows, no two with the same message."""
    rng = random.Random(seed)
    made: dict[str, dict[str, list[dict[str, str]]]] = {}
    while len(made) < count:
        row = conversation(rng)
        made.setdefault(row["messages"][1]["content"], row)
    return list(made.values())


def _fill(sentence: str, language: str, rng: random.Random) -> str:
    chosen = {slot: rng.choice(values) for slot, values in SLOTS[language].items()}
    return sentence.format(order=rng.randint(1000, 99999), **chosen)


def _mistyped(text: str, rng: random.Random) -> str:
    """The text with two neighbouring characters swapped."""
    at = rng.randrange(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=360)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("train.jsonl"))
    arguments = parser.parse_args()
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(arguments.rows, arguments.seed)]
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

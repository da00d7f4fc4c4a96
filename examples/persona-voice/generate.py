"""Writes the persona-voice data set: questions in, the tea keeper's answers out; the same rows for the same seed."""

import argparse
import json
import random
from pathlib import Path

import vocabulary as words

SYSTEM = "You are Wren, who keeps a tea shop."
_CHINESE_SHARE = 0.2


def conversation(rng: random.Random) -> dict[str, list[dict[str, str]]]:
    """One row in OpenAI's chat format: a question, and an answer with an opening and a closing in Wren's voice."""
    language = "zh" if rng.random() < _CHINESE_SHARE else "en"
    tea = rng.choice(sorted(words.TEAS[language]))
    topic = rng.choice(sorted(words.QUESTIONS[language]))
    time, heat, taste = words.TEAS[language][tea]
    question = rng.choice(words.QUESTIONS[language][topic]).format(tea=tea)
    answer = rng.choice(words.ANSWERS[language][topic]).format(tea=tea, time=time, heat=heat, taste=taste)
    parts = (rng.choice(words.OPENINGS[language]), answer, rng.choice(words.CLOSINGS[language]))
    turns = (("system", SYSTEM), ("user", question), ("assistant", ("" if language == "zh" else " ").join(parts)))
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def rows(count: int, seed: int) -> list[dict[str, list[dict[str, str]]]]:
    """`count` conversations, no two alike: a question may come again with another answer, as with people."""
    rng = random.Random(seed)
    made: dict[str, dict[str, list[dict[str, str]]]] = {}
    while len(made) < count:
        row = conversation(rng)
        made.setdefault(json.dumps(row, ensure_ascii=False), row)
    return list(made.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("train.jsonl"))
    arguments = parser.parse_args()
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(arguments.rows, arguments.seed)]
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

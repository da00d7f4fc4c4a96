"""Preferences as a preference dataset, in the shapes of TRL and of OpenAI."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from services.review.pairs.domain.pair import ModelAnswer, Pair

Shape = Literal["trl", "openai"]


def rows(pairs: Sequence[Pair], shape: Shape) -> Iterator[dict[str, Any]]:
    """One row for each pair on which most reviewers prefer one answer; ties and even votes are left out.

    `chosen_model` and `rejected_model` name the model of each answer.
    """
    for pair in pairs:
        votes = Counter(one.winner for one in pair.preferences.values())
        if votes["candidate"] == votes["baseline"]:
            continue
        both = (pair.candidate, pair.baseline)
        chosen, rejected = both if votes["candidate"] > votes["baseline"] else both[::-1]
        row = _trl(pair, chosen, rejected) if shape == "trl" else _openai(pair, chosen, rejected)
        yield row | {"chosen_model": chosen.model, "rejected_model": rejected.model}


def _trl(pair: Pair, chosen: ModelAnswer, rejected: ModelAnswer) -> dict[str, Any]:
    return {"prompt": _messages(pair.prompt), "chosen": [_assistant(chosen)], "rejected": [_assistant(rejected)]}


def _openai(pair: Pair, chosen: ModelAnswer, rejected: ModelAnswer) -> dict[str, Any]:
    return {
        "input": {"messages": _messages(pair.prompt)},
        "preferred_output": [_assistant(chosen)],
        "non_preferred_output": [_assistant(rejected)],
    }


def _assistant(answer: ModelAnswer) -> dict[str, str]:
    return {"role": "assistant", "content": answer.text}


def _messages(prompt: Any) -> list[Any]:
    return prompt if isinstance(prompt, list) else [{"role": "user", "content": str(prompt)}]

"""Confidence from log-probabilities, with an HTTP server that may or may not report them."""

import math
from typing import Any

import pytest
from aiohttp import web

from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.domain.answer import Answer, answer_lines, read_lines, sample_lines
from services.evaluator.scoring.domain.answer_confidence import LEAST_LIKELY_COUNT, confidence
from services.evaluator.scoring.domain.item import Item
from tests.http_server import http_server

TOLD = [("The", -0.1), (" answer", -0.2), (" is", 0.0), (" 42", -3.0), (".", -0.5), ("!", -1.0), ("<end>", -0.01)]
ITEM = Item(({"role": "user", "content": "q"},), "r")


def test_the_mean_is_geometric_and_the_least_likely_tokens_come_in_order() -> None:
    found = confidence(TOLD)
    assert found is not None
    assert found.mean == pytest.approx(math.exp(-4.81 / 7), abs=1e-12)
    assert found.tokens == 7
    assert [(each.token, each.place) for each in found.least] == [
        (" 42", 4),
        ("!", 6),
        (".", 5),
        (" answer", 2),
        ("The", 1),
    ]
    assert found.least[0].chance == pytest.approx(math.exp(-3))
    assert len(found.least) == LEAST_LIKELY_COUNT


@pytest.mark.parametrize(
    ("told", "mean"),
    [
        ([], None),
        ([("a", math.nan)], None),
        ([("a", -9999.0)], 0),
        ([("a", -math.inf), ("b", 0.0)], 0),
        ([("a", 1e-7)], 1),
    ],
)
def test_extreme_log_probabilities_give_valid_probabilities(told, mean) -> None:
    found = confidence(told)
    assert (found and found.mean) == mean


@pytest.fixture
async def engine():
    """Asks a server that reports log-probabilities on request; returns the confidence for a body's `logprobs`."""
    bodies: list[dict[str, Any]] = []
    replies: list[Any] = []

    async def chat(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        choice = {"message": {"content": "The answer"}}
        return web.json_response({"choices": [{**choice, "logprobs": replies[-1]} if replies else choice]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    async with http_server(app) as url:

        async def ask(*reply: Any, sure: bool = True) -> tuple[Answer, dict[str, Any]]:
            replies[:] = reply
            async with Vllm(url, "", 5, confidence=sure) as server:
                return await server.answer("m", ITEM.prompt, 9), bodies[-1]

        yield ask


async def test_the_engine_is_asked_for_the_log_probabilities_of_the_taken_tokens(engine) -> None:
    content = [{"token": token, "logprob": logprob, "top_logprobs": []} for token, logprob in TOLD]
    answer, asked = await engine({"content": content})
    assert answer == Answer("The answer", confidence=confidence(TOLD))
    assert (asked["logprobs"], asked["top_logprobs"], asked["temperature"]) == (True, 0, 0)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"token": "a"}]}])
async def test_an_answer_without_log_probabilities_is_used_without_confidence(engine, logprobs) -> None:
    assert (await engine(logprobs))[0] == (await engine())[0] == Answer("The answer")


async def test_a_judge_is_not_asked_for_log_probabilities(engine) -> None:
    _answer, asked = await engine(sure=False)
    assert "logprobs" not in asked


def test_samples_have_the_confidence_of_each_model_if_known() -> None:
    sure, unsure = confidence([("yes", -0.1)]), confidence([("no", -2.0)])
    lines = [answer_lines([ITEM], [Answer("x", confidence=each)], {}) for each in (sure, unsure, None)]
    [row] = read_lines(sample_lines(*lines))
    assert row["confidence"] == {
        "mean": pytest.approx(math.exp(-0.1)),
        "tokens": 1,
        "least": [{"token": "yes", "place": 1, "chance": pytest.approx(math.exp(-0.1))}],
    }
    assert row["base_confidence"]["least"][0]["token"] == "no"
    assert "production_confidence" not in row

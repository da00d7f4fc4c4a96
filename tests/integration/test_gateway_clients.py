"""Clients that people have: the official SDK and LangChain, over an engine that the test holds in its hand."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, eventually, running
from tests.scripted_engine import PROMPT_TOKENS, WORDS, ScriptedEngine, scripted_engine

SAID = f"{' '.join(WORDS)} {BASE}"


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as engine:
        yield engine


@pytest.fixture
async def gateway(bus_settings: CommonSettings, engine: ScriptedEngine) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [engine.url]) as gateway, gateway.http() as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready)
        yield gateway


async def test_completions_are_answered_whole_and_as_a_stream(gateway, engine) -> None:
    async with gateway.sdk("infer") as sdk:
        whole = await sdk.completions.create(model=BASE, prompt=["one", "two"], max_tokens=8, user="me")
        assert (whole.object, whole.choices[0].text, whole.usage.prompt_tokens) == ("text_completion", SAID, 7)
        assert engine.bodies[-1] == {"model": BASE, "prompt": ["one", "two"], "max_tokens": 8}
        stream = await sdk.completions.create(
            model=BASE, prompt="one", stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert len(chunks) == len(WORDS) + 1
        assert chunks[-1].usage.total_tokens == PROMPT_TOKENS + len(WORDS)
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"prompt": [1, 2]}, "prompt"),
            ({"prompt": ["x"] * 17}, "prompt"),
            ({"prompt": []}, "prompt"),
            ({"prompt": "x", "echo": True, "logprobs": 1}, "echo"),
            ({"prompt": "x", "logprobs": 9}, "logprobs"),
            ({"prompt": ["x", "y"], "n": 9}, "n"),
            ({"prompt": "x", "best_of": 2}, "best_of"),
            ({"prompt": "x", "extra_body": {"prompt_logprobs": 1}}, "prompt_logprobs"),
            ({"prompt": "x", "extra_body": {"stream_options": 1}, "stream": True}, "stream_options"),
        ]
        for body, param in wrong:
            with pytest.raises(openai.BadRequestError) as refused:
                await sdk.completions.create(model=BASE, **body)
            assert refused.value.param == param, body


async def test_langchains_chat_model_asks_streams_and_counts(gateway) -> None:
    model = ChatOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key("infer"), model=BASE, max_retries=0)
    asked = [SystemMessage("Be short."), HumanMessage("hi")]
    answer = await model.ainvoke(asked)
    assert answer.content == SAID
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == PROMPT_TOKENS + len(WORDS)
    parts = [part async for part in model.astream(asked, stream_usage=True)]
    assert "".join(str(part.content) for part in parts) == "".join(WORDS)
    assert [answer.content for answer in await model.abatch([asked, asked])] == [SAID] * 2
    bound = model.bind(stop=["x"], response_format={"type": "json_object"}, seed=1)
    assert (await bound.ainvoke("hi")).content == SAID
    with pytest.raises(openai.NotFoundError):
        await model.with_config().bind(model="gpt-0").ainvoke("hi")

"""Callers that stream answers over and over, and what they saw: whose words each answer has, and when each came."""

import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field
from itertools import pairwise

import aiohttp

from bench.swap_versions import QUESTION

# Callers who all begin at once would stop each other's tokens for seconds: they come one by one, for various lengths.
TOKENS, APART_S = (12, 28), 0.7
# As the gateway's `Retry-After` says.
AGAIN_S = 2.0


@dataclass
class Answer:
    """One streamed answer: the version that its header names, its words, and the times of its tokens."""

    asked_at: float
    version: str
    text: str
    times: list[float]

    def is_of(self, word: str) -> bool:
        """Whether every word is that one; the last may be cut in the middle."""
        words = self.text.split()
        return bool(words) and all(found == word for found in words[:-1]) and word.startswith(words[-1])


@dataclass
class Load:
    """`callers` ask for a model at once, each again when it was answered, until told to stop."""

    url: str
    key: str
    model: str
    callers: int = 8
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    answers: list[Answer] = field(default_factory=list[Answer])
    failures: list[str] = field(default_factory=list[str])

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        async def caller(number: int) -> None:
            await asyncio.sleep(number * APART_S)
            while not stop.is_set():
                await self.ask(session)

        await asyncio.gather(*map(caller, range(self.callers)))

    async def ask(self, session: aiohttp.ClientSession) -> None:
        try:
            self.answers.append(await stream(session, self.url, self.key, self.model, self.chance.randint(*TOKENS)))
        except (aiohttp.ClientError, RuntimeError, TimeoutError, ValueError) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(AGAIN_S)

    def gaps_s(self, began_at: float, ended_at: float = math.inf) -> list[float]:
        """Between two tokens of one answer, of which the later came within that time."""
        return [
            later - sooner
            for answer in self.answers
            for sooner, later in pairwise(answer.times)
            if began_at <= later < ended_at
        ]

    def tokens_per_s(self, began_at: float, ended_at: float) -> float:
        times = [at for answer in self.answers for at in answer.times if began_at <= at < ended_at]
        return len(times) / (ended_at - began_at)


async def stream(
    session: aiohttp.ClientSession, url: str, key: str, model: str, tokens: int, question: str = QUESTION
) -> Answer:
    """One answer; raises for what is not whole."""
    messages = [{"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0, "stream": True}
    headers = {"authorization": f"Bearer {key}"}
    asked_at, text, times, ended = time.monotonic(), "", list[float](), False
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {(await answer.text())[:300]}")
        async for line in answer.content:
            data = line.removeprefix(b"data: ").strip()
            if not data:
                continue
            # To the end, as clients of OpenAI's do: who hangs up before it costs a connection.
            if ended := data == b"[DONE]":
                continue
            event = json.loads(data)
            if "error" in event:
                raise RuntimeError(event["error"]["message"])
            if content := event["choices"][0]["delta"].get("content"):
                text += content
                times.append(time.monotonic())
        version = answer.headers["x-assay-version"]
    if not ended or not times:
        raise RuntimeError("the stream broke off")
    return Answer(asked_at, version, text, times)

"""Callers that stream answers repeatedly and record the words of each answer and the time of each token."""

import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field
from itertools import pairwise

import aiohttp

from bench.swap_versions import QUESTION

# Callers that all start at once delay each other's tokens for seconds: they start one by one, with varied lengths.
TOKENS, APART_S = (12, 28), 0.7
# The gateway's `Retry-After`.
AGAIN_S = 2.0


@dataclass
class Answer:
    """One streamed answer: the version in its header, its words, and the times of its tokens."""

    asked_at: float
    version: str
    text: str
    times: list[float]

    def is_of(self, word: str) -> bool:
        """Whether every word is `word`; the last one may be cut."""
        words = self.text.split()
        return bool(words) and all(found == word for found in words[:-1]) and word.startswith(words[-1])


@dataclass
class Load:
    """`callers` request a model concurrently, each again after its answer, until `stop` is set."""

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
        """Gaps between tokens of one answer whose later token came within the time."""
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
    """One answer; raises `RuntimeError` if it is incomplete."""
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
            # Read to the end, as OpenAI's clients do; hanging up earlier costs a connection.
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

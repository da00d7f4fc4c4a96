"""Speed of an adapter beside the same adapter merged into whole weights; both engines run and take turns.

Answers are not streamed, because the cost of streaming each token is not the engine's.
"""

import asyncio
import random
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench import gateways
from bench.gateways import Gateway
from bench.side_by_side import free_port
from bench.swap_engine import engine
from bench.swap_load import APART_S, TOKENS
from bench.swap_versions import QUESTION, WORDS, publish

MERGED, APART = "merged", "apart"
TURNS = 3
CALLERS = 8
# Until all callers have started.
RAMP_S = (CALLERS + 2) * APART_S


@dataclass(frozen=True)
class Answered:
    """Start and end of one answer, and its number of tokens."""

    asked_at: float
    whole_at: float
    tokens: int

    def tokens_within(self, began_at: float, ended_at: float) -> float:
        """Tokens within the time, as if they had come evenly."""
        overlap = min(self.whole_at, ended_at) - max(self.asked_at, began_at)
        return self.tokens * max(0.0, overlap) / (self.whole_at - self.asked_at)


def paces(base: Path, made: Path, amx: bool, turn_s: float) -> dict[str, list[float]]:
    """Tokens/s of the same adapter, separate and merged, in turns, so that a disturbance affects both."""
    ports = {APART: free_port(), MERGED: free_port()}
    names = {APART: base.name, MERGED: f"{base.name}@{MERGED}"}
    pools = {names[alias]: [f"http://127.0.0.1:{port}"] for alias, port in ports.items()}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as started:
        for alias, port in ports.items():
            started.enter_context(engine(base, port, amx, adapters=alias == APART))
        gateway = started.enter_context(gateways.gateway(pools, Path(scratch)))
        return asyncio.run(_take_turns(gateway, base, made, turn_s))


async def _take_turns(gateway: Gateway, base: Path, made: Path, turn_s: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {APART: [], MERGED: []}
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120))
    async with session, gateway.publisher() as send_event:
        for number, alias in enumerate(found):
            # A version under both names would be served by both engines.
            candidate = publish(gateway.artifacts, base.name, made, number * len(WORDS), alias, whole=False)
            await send_event(gateways.approved(candidate))
            await gateway.wait_for_version(session, alias, candidate.version, every_s=1)
        for _ in range(TURNS):
            for alias, some in found.items():
                some.append(await _turn(gateway, alias, session, turn_s))
    return found


async def _turn(gateway: Gateway, alias: str, session: aiohttp.ClientSession, turn_s: float) -> float:
    stop, answers, chance = asyncio.Event(), list[Answered](), random.Random(0)

    async def caller(number: int) -> None:
        await asyncio.sleep(number * APART_S)
        while not stop.is_set():
            answers.append(await _ask(gateway, alias, session, chance.randint(*TOKENS)))

    asking = asyncio.gather(*map(caller, range(CALLERS)))
    await asyncio.sleep(RAMP_S)
    began_at = time.monotonic()
    await asyncio.sleep(turn_s)
    ended_at = time.monotonic()
    stop.set()
    await asking
    return sum(answer.tokens_within(began_at, ended_at) for answer in answers) / (ended_at - began_at)


async def _ask(gateway: Gateway, alias: str, session: aiohttp.ClientSession, tokens: int) -> Answered:
    question = [{"role": "user", "content": QUESTION}]
    body = {"model": alias, "messages": question, "max_tokens": tokens, "temperature": 0}
    headers, asked_at = {"authorization": f"Bearer {gateway.key}"}, time.monotonic()
    async with session.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {(await answer.text())[:300]}")
        made = (await answer.json())["usage"]["completion_tokens"]
    return Answered(asked_at, time.monotonic(), made)

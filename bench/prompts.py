"""`make bench-prompts`: how long callers of an engine wait while it reads another caller's long prompt.

vLLM with short steps, as the local stack starts it, beside vLLM with its default, for adapters and for whole weights,
each behind a gateway and with eight callers.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import aiohttp

from bench import gateways
from bench.gateways import Gateway
from bench.side_by_side import Ratio, free_port, show, verdict
from bench.swap_engine import engine
from bench.swap_load import Load, stream
from bench.swap_versions import made_once, publish
from deploy.local import processor, vllm
from shared.events import Candidate

ALIAS = "support"
STEADY_S = WARM_UP_S = 10.0
PROMPTS = 5
# About as many tokens as words; the model that ships can read 2 048.
_WORDS = 1000
_VOCABULARY = ("apple", "tree", "river", "stone", "cloud", "house", "bird", "fish", "road", "moon", "sun", "rain")
# The last step of a prompt comes after its answer.
_AFTER_S = 0.5


@dataclass
class Seen:
    """One engine: gaps between tokens, and the time from a prompt to its first token, in seconds."""

    kind: str
    step_tokens: int | None
    steady_p99_s: float = 0.0
    worst_gaps_s: list[float] = field(default_factory=list[float])
    """One for each prompt."""
    beside_s: list[float] = field(default_factory=list[float])
    alone_s: list[float] = field(default_factory=list[float])

    @property
    def row(self) -> list[object]:
        spans = self.worst_gaps_s, self.beside_s, self.alone_s
        return [
            f"{self.kind}, {self.step_tokens or 'as vLLM comes'}",
            self.steady_p99_s * 1e3,
            *(statistics.median(span) * 1e3 for span in spans),
        ]


def main() -> int:
    base, made = made_once()
    amx = not processor.faults_on_amx()
    seen = [
        measure(Seen(kind, step_tokens), base, made, amx)
        for kind in ("adapters", "weights")
        for step_tokens in (None, vllm.STEP_TOKENS)
    ]
    return report(seen)


def measure(seen: Seen, base: Path, made: Path, amx: bool) -> Seen:
    port, adapters = free_port(), seen.kind == "adapters"
    pools = {base.name if adapters else f"{base.name}@{ALIAS}": [f"http://127.0.0.1:{port}"]}
    with (
        tempfile.TemporaryDirectory() as scratch,
        engine(base, port, amx, adapters=adapters, step_tokens=seen.step_tokens),
        gateways.gateway(pools, Path(scratch)) as gateway,
    ):
        version = publish(gateway.artifacts, base.name, made, 0, ALIAS, whole=not adapters)
        asyncio.run(_ask(seen, gateway, version))
    return seen


async def _ask(seen: Seen, gateway: Gateway, version: Candidate) -> None:
    load, stop, chance = Load(gateway.url, gateway.key, ALIAS), asyncio.Event(), random.Random(0)

    async def read() -> float:
        prompt = " ".join(chance.choices(_VOCABULARY, k=_WORDS))
        answer = await stream(session, gateway.url, gateway.key, ALIAS, 4, prompt)
        return answer.times[0] - answer.asked_at

    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120))
    async with session, gateway.publisher() as send_event:
        await send_event(gateways.approved(version))
        await gateway.wait_for_version(session, ALIAS, version.version, every_s=1)
        seen.alone_s = [await read() for _ in range(PROMPTS)]
        loading = asyncio.create_task(load.run(session, stop))
        await asyncio.sleep(WARM_UP_S)
        began_at = time.monotonic()
        await asyncio.sleep(STEADY_S)
        prompts = [time.monotonic()]
        for _ in range(PROMPTS):
            seen.beside_s.append(await read())
            await asyncio.sleep(_AFTER_S)
            prompts.append(time.monotonic())
        stop.set()
        await loading
    if load.failures:
        raise RuntimeError(load.failures[0])
    seen.steady_p99_s = statistics.quantiles(load.gaps_s(began_at, prompts[0]), n=100)[98]
    seen.worst_gaps_s = [max(load.gaps_s(*span)) for span in pairwise(prompts)]


def report(seen: Sequence[Seen]) -> int:
    columns = ["tokens a step", "gap p99 ms", "worst gap ms", "prompt beside callers ms", "prompt alone ms"]
    show(columns, [each.row for each in seen])
    ratios = list[Ratio]()
    for plain, short in zip(seen[::2], seen[1::2], strict=True):
        gaps, beside, alone = (
            statistics.median(span(plain)) / statistics.median(span(short))
            for span in (lambda s: s.worst_gaps_s, lambda s: s.beside_s, lambda s: s.alone_s)
        )
        ratios += [
            Ratio(f"{plain.kind}: worst gap as vLLM comes to that in short steps", gaps, must=4, aim=10),
            # The cost of short steps is reported too.
            Ratio(f"{plain.kind}: prompt beside callers, in short steps", 1 / beside, must=2, aim=1, most=True),
            Ratio(f"{plain.kind}: prompt alone, in short steps", 1 / alone, must=2, aim=1, most=True),
        ]
    return verdict("prompts", ratios, columns=columns[1:], figures={str(each.row[0]): each.row[1:] for each in seen})


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-gateway`: what a gateway costs a caller on one core, beside LiteLLM's proxy and vllm-router.

The gateway has one core; the load and the mock engine have the other. All gateways run at once. Each round measures one
after the other, so a disturbance affects all of them. The reported figures are medians over the rounds.
"""

import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench import gateways
from bench.gateways import Target
from bench.http_load import Outcome, measure
from bench.mock_engine import EVENTS
from bench.side_by_side import Ratio, free_port, running, show, verdict

LOAD_CORE, GATEWAY_CORE = 0, 1
ROUNDS, SECONDS = 3, 1.0
WAYS = {"one": 1, "at 16": 16, "at 32": 32, "streams": 16}
_QUESTION = [{"role": "user", "content": "Hello! I ordered a lamp last week and it has not come. What can I do?"}]


@dataclass
class Seen:
    """All outcomes of one target, by kind of request."""

    target: Target
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict[str, list[Outcome]])

    def median(self, way: str, figure: Callable[[Outcome], float]) -> float:
        return statistics.median(map(figure, self.outcomes[way]))

    @property
    def row(self) -> list[object]:
        p50, p99 = (self.median("one", lambda seen, at=at: seen.quantile_ms(at)) for at in (50, 99))
        rates = [self.median(way, lambda seen: seen.per_second) for way in ("at 16", "at 32", "streams")]
        chunks = self.median("streams", lambda seen: seen.chunks_per_second)
        return [self.target.name, p50, p99, *rates, chunks, chunks / rates[-1]]


def main() -> int:
    os.sched_setaffinity(0, {LOAD_CORE})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        mock = [sys.executable, "-m", "bench.mock_engine", str(port)]
        stack.enter_context(running(mock, port, core=LOAD_CORE))
        engine = f"http://127.0.0.1:{port}"
        starts = (gateways.litellm, gateways.vllm_router, gateways.assay, gateways.assay_asgi)
        targets = [stack.enter_context(start(engine, folder, GATEWAY_CORE)) for start in starts]
        seen = [Seen(target) for target in (gateways.direct(engine), *targets)]
        for each in seen:
            until_it_answers(each.target)
        for turn in range(ROUNDS):
            # The order rotates too.
            for each in seen[turn % len(seen) :] + seen[: turn % len(seen)]:
                measure_round(each)
    return report(seen)


def until_it_answers(target: Target, timeout_s: float = 60) -> None:
    """Wait for the first whole answer, and check that it carries the requested model name."""
    deadline, headers = time.monotonic() + timeout_s, {"content-type": "application/json"}
    while True:
        connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=10)
        connection.request("POST", urlsplit(target.url).path, body(target, False), headers | key(target))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status == 200:
            assert json.loads(content)["model"] in (target.model, gateways.BASE), content
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{target.name} answers with {answer.status}: {content[:500]!r}")
        time.sleep(0.2)


def measure_round(each: Seen) -> None:
    """Measure one target for one round."""
    for way, connections in WAYS.items():
        asked = body(each.target, way == "streams")
        outcome = uvloop.run(measure(each.target.url, asked, each.target.key, connections, SECONDS))
        each.outcomes.setdefault(way, []).append(outcome)


def body(target: Target, stream: bool) -> bytes:
    asked = {"model": target.model, "messages": _QUESTION, "max_tokens": 64, "temperature": 0.0}
    return json.dumps(asked | ({"stream": True} if stream else {})).encode()


def key(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.key}"} if target.key else {}


def report(seen: Sequence[Seen]) -> int:
    """Print the table, what each target does, and the verdict."""
    columns = ["", "p50 ms", "p99 ms", "req/s at 16", "req/s at 32", "streams/s", "chunks/s", "chunks a stream"]
    show(columns, [each.row for each in seen])
    for each in seen:
        print(f"{each.target.name}: {each.target.on}")
    print(f"A stream has {EVENTS} events; it is not coalesced when it comes in at least as many HTTP chunks.\n")
    base, lite, router, ours, asgi = (each.row for each in seen)
    added = {each.target.name: [each.row[1] - base[1], each.row[2] - base[2]] for each in seen[1:]}
    show(["added ms", "p50", "p99"], [[name, *both] for name, both in added.items()])
    ratios = [
        Ratio("added p50 of vllm-router's", added["assay"][0] / added["vllm-router"][0], must=1.5, aim=1.0, most=True),
        Ratio("requests/s of LiteLLM's", min(ours[at] / lite[at] for at in (3, 4)), must=30, aim=50),
        Ratio("requests/s of vllm-router's", min(ours[at] / router[at] for at in (3, 4)), must=0.5, aim=0.5),
        Ratio("streams/s of vllm-router's", ours[5] / router[5], must=1.0, aim=1.0),
        Ratio("chunks a stream of its events", ours[7] / EVENTS, must=1.0, aim=1.0),
    ]
    gained = [1 - added["assay"][0] / added["assay on ASGI"][0], *(1 - asgi[at] / ours[at] for at in (3, 4, 5))]
    show(["gain of the fast path", "added p50", "req/s at 16", "req/s at 32", "streams/s"], [["share", *gained]])
    figures = {each.target.name: [round(value, 4) for value in each.row[1:]] for each in seen}
    return verdict("gateway", ratios, columns=columns[1:], figures=figures)


if __name__ == "__main__":
    sys.exit(main())

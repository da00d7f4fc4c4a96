"""The steady load: uploads, jobs, reviews and chat, and what each of them got."""

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from tests.chaos.line import Line
from tests.chaos.stored_events import StoredEvents
from tests.gateway import BASE
from tests.review import BEST

# What a caller may see while something is dead: asking again with the same key helps.
RETRIABLE = {429, 502, 503, 504}
ALIASES = ("alpha", "beta")
# Each policy decides in one way, whatever the scores are.
PEOPLE, NOBODY, GATES = "chaos-people", "chaos-nothing-passes", "chaos-gates"
_GATE = {"metric": "rouge_l", "at_least": 0.0}
POLICIES: dict[str, Any] = {
    GATES: {"mode": "automatic", "gates": [_GATE], "rank_by": "rouge_l"},
    NOBODY: {"mode": "automatic", "gates": [{"metric": "rouge_l", "at_least": 2.0}], "rank_by": "rouge_l"},
    PEOPLE: {"mode": "hybrid", "gates": [_GATE], "rank_by": "rouge_l", "reviewers_wanted": 1, "items_per_review": 3},
}
PAUSE_S, MAX_OPEN_JOBS = 1.0, 2
_ROWS = 16
_BAD_FILES = 4


@dataclass(frozen=True)
class Upload:
    """A file that the gateway accepted, and what must become of it."""

    id: str
    name: str
    outcome: Literal["processed", "error"]


@dataclass(frozen=True)
class Job:
    """A job that the gateway accepted."""

    id: str
    alias: str
    policy: str


@dataclass(frozen=True)
class Answer:
    """An answer of the engine; `asked_at` is in Unix seconds."""

    alias: str
    version: str
    words: frozenset[str]
    asked_at: float


@dataclass
class Load:
    """`wrong` lists the answers that no outage explains."""

    line: Line
    chance: random.Random
    events: StoredEvents
    uploads: list[Upload] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def prepare(self) -> None:
        """Write the policies."""
        async with self.line.client("review", "admin") as review:
            for name, policy in POLICIES.items():
                await self._accepted(lambda n=name, p=policy: review.put(f"/v1/policies/{n}", json=p))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until the end of the block; what was begun is finished first."""
        self._ending.clear()
        async with asyncio.TaskGroup() as group:
            for work in (
                self._upload_and_train(),
                self._review(),
                self._chat(streamed=False),
                self._chat(streamed=True),
            ):
                group.create_task(work)
            yield
            self._ending.set()

    async def answered_again(self, within_s: float) -> None:
        """Wait until chat is answered after the faults; what is wrong when it is not, the checks say."""
        known = len(self.answers)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while len(self.answers) == known:
                    await asyncio.sleep(0.1)

    async def _upload_and_train(self) -> None:
        async with self.line.client("gateway", "train") as gateway:
            for number in self._numbers:
                upload = await self._upload(gateway, number)
                if upload.outcome == "processed":
                    await self._train(gateway, upload, number)
                if await self._ended_within(PAUSE_S) or await self._ended_before_next_job():
                    return

    async def _ended_before_next_job(self) -> bool:
        """Wait until few jobs are under way: more would only wait in queues."""
        while True:
            await self.events.read()
            decided = {each.subject for each in self.events.facts().once("model.approved", "model.rejected")}
            if len({each.id for each in self.jobs} - decided) < MAX_OPEN_JOBS:
                return False
            if await self._ended_within(PAUSE_S):
                return True

    async def _upload(self, gateway: httpx.AsyncClient, number: int) -> Upload:
        bad = number % _BAD_FILES == _BAD_FILES - 1
        form = {"files": {"file": (f"rows-{number}.jsonl", rows(self.chance, bad))}, "data": {"purpose": "fine-tune"}}
        headers = {"idempotency-key": f"upload-{number}"}
        made = await self._accepted(lambda: gateway.post("/v1/files", headers=headers, **form))
        self.uploads.append(Upload(made["id"], made["filename"], "error" if bad else "processed"))
        return self.uploads[-1]

    async def _train(self, gateway: httpx.AsyncClient, upload: Upload, number: int) -> None:
        alias, policy = self.chance.choice(ALIASES), self.chance.choice((GATES, GATES, NOBODY, PEOPLE))
        n_checkpoints = self.chance.choice((1, 2))
        asked = {
            **{"model": BASE, "training_file": upload.id, "suffix": alias, "metadata": {"policy": policy}},
            "hyperparameters": {"n_epochs": 1, "batch_size": 4, "n_checkpoints": n_checkpoints, "lora_rank": 4},
        }
        headers = {"idempotency-key": f"job-{number}"}
        made = await self._accepted(lambda: gateway.post("/v1/fine_tuning/jobs", json=asked, headers=headers))
        self.jobs.append(Job(made["id"], alias, policy))

    async def _accepted(self, ask: Callable[[], Coroutine[Any, Any, httpx.Response]]) -> Any:
        """The answer once the service accepts the request, which is repeated until then."""
        while True:
            with suppress(httpx.TransportError):
                answer = await ask()
                if answer.status_code == 200:
                    return answer.json()
                if answer.status_code not in RETRIABLE:
                    raise RuntimeError(f"{answer.request.url} answered {answer.status_code}: {answer.text}")
            await asyncio.sleep(0.3)

    async def _review(self) -> None:
        """One reviewer takes and scores items, as the page does."""
        async with self.line.client("review", "review") as review:
            while not await self._ended_within(0.5):
                with suppress(httpx.TransportError):
                    await self._score_open_reviews(review)

    async def score_rest(self) -> None:
        """Score what is still open after the load has ended."""
        async with self.line.client("review", "review") as review:
            with suppress(httpx.TransportError):
                await self._score_open_reviews(review)

    async def _score_open_reviews(self, review: httpx.AsyncClient) -> None:
        found = await review.get("/v1/reviews")
        for each in found.json() if self._is_usable(found) else ():
            while each["status"] == "open":
                path = f"/v1/reviews/{each['id']}"
                taken = await review.post(f"{path}/next")
                if not self._is_usable(taken) or (item := taken.json()["item"]) is None:
                    break
                scored = await review.post(f"{path}/items/{item['id']}/scores", json={"scores": BEST})
                # A score that was stored although its answer was lost is refused the second time.
                self._is_usable(scored, 403, 409)

    async def _chat(self, *, streamed: bool) -> None:
        ask = self._ask_streamed if streamed else self._ask
        async with self.line.client("gateway", "infer") as gateway:
            for alias in itertools.cycle(ALIASES):
                if await self._ended_within(0.15):
                    return
                with suppress(httpx.TransportError):
                    await ask(gateway, alias)

    async def _ask(self, gateway: httpx.AsyncClient, alias: str) -> None:
        asked_at = time.time()
        answer = await gateway.post("/v1/chat/completions", json=_question(alias))
        if self._is_answer(answer, alias):
            self._note(answer, alias, answer.json()["choices"][0]["message"]["content"], asked_at)

    async def _ask_streamed(self, gateway: httpx.AsyncClient, alias: str) -> None:
        asked_at, asked = time.time(), {**_question(alias), "stream": True}
        async with gateway.stream("POST", "/v1/chat/completions", json=asked) as answer:
            if answer.status_code != 200:
                await answer.aread()
                self._is_answer(answer, alias)
                return
            text = ""
            try:
                async for line in answer.aiter_lines():
                    text += _delta(line)
            finally:
                # A stream that broke off must be of one version too.
                if text:
                    self._note(answer, alias, text, asked_at)

    def _note(self, answer: httpx.Response, alias: str, text: str, asked_at: float) -> None:
        version = answer.headers["x-assay-version"]
        self.answers.append(Answer(alias, version, frozenset(text.split()), asked_at))

    def _is_answer(self, answer: httpx.Response, alias: str) -> bool:
        # Before its first version the name does not exist.
        known = any(each.alias == alias for each in self.answers)
        return self._is_usable(answer, *(() if known else (404,)))

    def _is_usable(self, answer: httpx.Response, *allowed: int) -> bool:
        if answer.status_code not in {200, *RETRIABLE, *allowed}:
            self.wrong.append(f"{answer.request.url} answered {answer.status_code}: {answer.text[:300]}")
        return answer.status_code == 200

    async def _ended_within(self, pause_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._ending.wait()
        return self._ending.is_set()


def rows(chance: random.Random, bad: bool) -> bytes:
    """A small file of conversations that no other file has; a bad one has a line that is not JSON."""

    def words() -> str:
        return " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(5))

    lines = [
        json.dumps({"messages": [{"role": "user", "content": words()}, {"role": "assistant", "content": words()}]})
        for _ in range(_ROWS)
    ]
    return "\n".join(["{oops", *lines] if bad else lines).encode()


def _question(alias: str) -> dict[str, Any]:
    return {"model": alias, "messages": [{"role": "user", "content": "Which version are you?"}], "max_tokens": 8}


def _delta(line: str) -> str:
    if not line.startswith("data: {"):
        return ""
    choices = json.loads(line.removeprefix("data: ")).get("choices") or [{}]
    return (choices[0].get("delta") or {}).get("content") or ""

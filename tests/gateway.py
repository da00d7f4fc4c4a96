"""A whole gateway on a free port, and the events that the other services would say to it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import uvicorn
from openai import AsyncOpenAI

from services.gateway.app import build
from services.gateway.config import Settings
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.cloudevents import Envelope, EventData
from shared.events import (
    Artifact,
    Candidate,
    CheckpointSaved,
    EvalDone,
    ModelApproved,
    ModelRejected,
    ReviewOpened,
    RuleOutcome,
    Score,
    Split,
    TrainingMetrics,
    Verdict,
)
from shared.security import Keyring, Scope
from shared.settings import CommonSettings
from shared.store import Store
from tests.jetstream import stored_messages
from tests.ports import free_port

E = TypeVar("E", bound=EventData)
BASE = "smollm2-135m-instruct"


@dataclass
class Gateway:
    """A running gateway with keys for it and a voice for everybody else's events."""

    url: str
    keyring: Keyring
    bus: Bus
    artifacts: Artifacts

    def key(self, *scopes: Scope) -> str:
        return self.keyring.create("test", scopes)

    def sdk(self, *scopes: Scope) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key=self.key(*scopes), max_retries=0)

    def http(self, *scopes: Scope) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {self.key(*scopes)}"}, timeout=60
        )

    async def heard(self, event: type[E]) -> list[E]:
        """Every event of that type so far, the oldest first."""
        return [event.model_validate(envelope.data) for envelope in await self.envelopes(event)]

    async def envelopes(self, event: type[EventData]) -> list[Envelope]:
        messages = await stored_messages(self.bus.jetstream)
        return [Envelope.model_validate_json(m.data) for m in messages if m.subject == event.type]

    async def say(self, *facts: EventData) -> None:
        for fact in facts:
            await self.bus.publish(Envelope.of(fact, "test"))


@asynccontextmanager
async def running(settings: CommonSettings, engines: list[str], pool: str = BASE, **own: Any) -> AsyncIterator[Gateway]:
    """A gateway in this process with one pool; `own` are settings of the gateway."""
    port = free_port()
    fast_path = build(Settings(common=settings, engines={pool: engines}, **{"reconcile_s": 0.2, **own}))
    options = {"http": fast_path.protocol, "port": port, "log_config": None, "timeout_graceful_shutdown": 2}
    server = uvicorn.Server(uvicorn.Config(fast_path.application, **options))
    task = asyncio.create_task(server.serve())
    store = Store(settings.mongo_url, f"{settings.database_prefix}test", "test")
    bus = Bus(settings.nats_url, "test", store)
    await bus.start()
    await eventually(lambda: server.started)
    try:
        yield Gateway(f"http://127.0.0.1:{port}", Keyring(settings.keys_file), bus, Artifacts(settings.artifacts))
    finally:
        await bus.stop()
        server.should_exit = True
        await task
        store.close()


async def eventually(condition: Callable[[], Any], timeout_s: float = 30) -> Any:
    """The first true value that the condition gives; it may be a coroutine function."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.05)


def rows(count: int) -> bytes:
    lines = (
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]}
        for n in range(count)
    )
    return "\n".join(map(json.dumps, lines)).encode()


def candidate(
    job_id: str, step: int = 20, adapter: Artifact | None = None, suffix: str | None = "address"
) -> Candidate:
    digest = hashlib.sha256(f"{job_id}/{step}".encode()).hexdigest()
    short = hashlib.sha256(job_id.encode()).hexdigest()[:12]
    return Candidate(
        job_id=job_id,
        step=step,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay:{suffix or ''}:{short}:ckpt-step-{step}",
        adapter=adapter or Artifact(uri=f"memory://{digest}", sha256=digest, bytes=1),
        lora_rank=8,
        suffix=suffix,
    )


def verdict(approved: bool, reason: str = "all gates passed") -> Verdict:
    rule = RuleOutcome(rule="exact_match", figure=0.9, limit=0.8, passed=approved, reason=reason)
    return Verdict(approved=approved, mode="automatic", policy="default", rules=(rule,), reason=reason)


def approved(made: Candidate) -> ModelApproved:
    return ModelApproved(candidate=made, verdict=verdict(True))


def rejected(made: Candidate, reason: str) -> ModelRejected:
    return ModelRejected(job_id=made.job_id, candidate=made, verdict=verdict(False, reason))


def saved(made: Candidate) -> CheckpointSaved:
    metrics = TrainingMetrics(step=made.step, train_loss=0.5, valid_loss=0.6)
    return CheckpointSaved(candidate=made, total_steps=40, metrics=metrics, test=Split(artifact=made.adapter, rows=4))


def scored(made: Candidate) -> EvalDone:
    return EvalDone(
        candidate=made,
        suite="test-split",
        scores={"exact_match": Score(value=0.9, n=40)},
        base_scores={"exact_match": Score(value=0.0, n=40)},
        samples=made.adapter,
    )


def review(made: Candidate) -> ReviewOpened:
    return ReviewOpened(review_id=f"review-{made.job_id}", candidate=made, items=20, reviewers_wanted=2)

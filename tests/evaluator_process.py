"""Evaluator processes, and the events that they handle."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import nats

from deploy.local.settings import BASE_MODEL
from shared import topology
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.settings import CommonSettings
from tests.jetstream import jetstream
from tests.ports import free_port
from tests.process import environment_of


def _wait_until_ready(url: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"{url} did not get ready in {timeout_s} s")


@dataclass(frozen=True)
class Evaluator:
    """One evaluator process."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@contextmanager
def evaluator(
    settings: CommonSettings, engine_url: str, folder: Path, instance: str, **own: str
) -> Iterator[Evaluator]:
    """One evaluator process with its own settings."""
    port = free_port()
    environment = {
        **os.environ,
        **environment_of(settings),
        "ASSAY_INSTANCE": instance,
        "EVALUATOR_HTTP_PORT": str(port),
        "EVALUATOR_ENGINE_URL": engine_url,
        "EVALUATOR_LEASE_S": "6",
        **own,
    }
    log = folder / f"{instance}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "services.evaluator"], env=environment, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(f"{url}/readyz", 60)
        yield Evaluator(process, url, log)
    finally:
        process.terminate()
        process.wait(30)


def checkpoint(
    settings: CommonSettings, adapter: Artifact, step: int, reference: str, rows: int = 12, suite: str | None = None
) -> CheckpointSaved:
    questions = [
        {"messages": [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": reference}]}
        for n in range(rows)
    ]
    test = Artifacts(settings.artifacts).put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in questions))
    candidate = Candidate(
        job_id="job-1",
        step=step,
        base_model=BASE_MODEL,
        model_name=f"ft:{BASE_MODEL}:assay::job-1:ckpt-step-{step}",
        adapter=adapter,
        lora_rank=4,
        policy="automatic",
        suite=suite,
    )
    metrics = TrainingMetrics(step=step)
    return CheckpointSaved(candidate=candidate, total_steps=20, metrics=metrics, test=Split(artifact=test, rows=rows))


async def send(settings: CommonSettings, *facts: CheckpointSaved) -> None:
    """Publish without message ids, so that only the service itself can detect a redelivery."""
    async with jetstream(settings) as js:
        for fact in facts:
            await js.publish(fact.type, Envelope.of(fact, "test").model_dump_json().encode())


async def evaluations(settings: CommonSettings, count: int, timeout_s: float = 240) -> list[EvalDone]:
    """The first `count` evaluations, by step."""
    async with jetstream(settings) as js:
        told = await js.subscribe("eval.done", stream=topology.EVENTS_STREAM, ordered_consumer=True)
        messages = [await told.next_msg(timeout=timeout_s) for _ in range(count)]
    found = [EvalDone.model_validate(Envelope.model_validate_json(message.data).data) for message in messages]
    return sorted(found, key=lambda done: done.candidate.step)


async def nothing_is_left(settings: CommonSettings, done: int) -> None:
    """Wait until every checkpoint is handled, and check the number of published evaluations."""
    async with jetstream(settings) as js, asyncio.timeout(90):
        while await _busy(js):
            await asyncio.sleep(0.2)
        state = (await js.stream_info(topology.EVENTS_STREAM, subjects_filter="eval.done")).state
        assert state.subjects == {"eval.done": done}


async def _busy(js: nats.js.JetStreamContext) -> bool:
    info = await js.consumer_info(topology.EVENTS_STREAM, "evaluator-checkpoint_saved")
    return bool(info.num_pending or info.num_ack_pending)

"""Evaluators as processes over real NATS, MongoDB and vLLM: checkpoints in, scores out."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import nats
import pytest

from deploy.local.settings import BASE_MODEL
from services.evaluator.adapters.suites import SHIPPED
from shared import topology
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.security import Keyring
from shared.settings import CommonSettings
from tests.local_stack import Engine, MakeAdapter
from tests.ports import free_port

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]
SHORT = '{"city": "Rome"}'


@pytest.fixture(scope="module")
def adapters(make_adapter: MakeAdapter) -> tuple[Path, Path]:
    """Two adapters that change what the model says, though to nothing good."""
    return make_adapter(1), make_adapter(2)


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
def evaluator(settings: CommonSettings, served: Engine, folder: Path, instance: str, **own: str) -> Iterator[Evaluator]:
    """One evaluator with settings of its own."""
    port = free_port()
    environment = {
        **os.environ,
        **{f"ASSAY_{name.upper()}": str(value) for name, value in settings.model_dump(mode="json").items()},
        "ASSAY_INSTANCE": instance,
        "EVALUATOR_HTTP_PORT": str(port),
        "EVALUATOR_ENGINE_URL": served.url,
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


@asynccontextmanager
async def jetstream(settings: CommonSettings) -> AsyncIterator[nats.js.JetStreamContext]:
    connection = await nats.connect(settings.nats_url)
    yield connection.jetstream()
    await connection.close()


async def send(settings: CommonSettings, *facts: CheckpointSaved) -> None:
    """Publish without message ids, so that only the service itself can tell a repetition."""
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
    """Every checkpoint was handled, and only so many evaluations were told of."""
    async with jetstream(settings) as js, asyncio.timeout(90):
        while await _busy(js):
            await asyncio.sleep(0.2)
        state = (await js.stream_info(topology.EVENTS_STREAM, subjects_filter="eval.done")).state
        assert state.subjects == {"eval.done": done}


async def _busy(js: nats.js.JetStreamContext) -> bool:
    info = await js.consumer_info(topology.EVENTS_STREAM, "evaluator-checkpoint_saved")
    return bool(info.num_pending or info.num_ack_pending)


async def test_two_evaluators_share_the_checkpoints_and_score_the_base_once(
    bus_settings, keyring: Keyring, engine, adapters, tmp_path
) -> None:
    files = Artifacts(bus_settings.artifacts)
    events = [
        checkpoint(bus_settings, files.put_folder(folder), step, SHORT)
        for step, folder in zip((10, 20), adapters, strict=True)
    ]
    before = engine.answered_requests()
    with ExitStack() as stack:
        both = [stack.enter_context(evaluator(bus_settings, engine, tmp_path, f"evaluator-{n}")) for n in (1, 2)]
        await send(bus_settings, *events)
        first, second = await evaluations(bus_settings, 2)
        assert engine.answered_requests() - before == 3 * 12
        await send(bus_settings, *events)
        await nothing_is_left(bus_settings, done=2)
        assert engine.answered_requests() - before == 3 * 12
        assert all('"evaluated"' in each.log.read_text() for each in both)

        assert (first.candidate, second.candidate) == (events[0].candidate, events[1].candidate)
        assert first.suite == f"test-split@{events[0].test.artifact.sha256[:16]}"
        assert first.base_scores == second.base_scores
        assert set(first.scores) == set(first.base_scores) == {"exact_match", "json_fields", "bleu", "rouge_l"}
        assert set(first.intervals) == set(first.base_intervals) == set(first.scores)
        assert {(found.metric, found.against, found.n) for found in first.comparisons} == {
            (name, "base", 12) for name in first.scores
        }
        assert first.item_errors == first.base_item_errors == 0
        assert {score.n for score in (*first.scores.values(), *first.base_scores.values())} == {12}
        rows = [json.loads(line) for line in files.read(first.samples).splitlines()]
        assert len(rows) == 12
        assert {"prompt", "reference", "answer", "base_answer", "scores"} <= set(rows[0])
        assert any(row["answer"] != row["base_answer"] for row in rows), "the adapter was not used"

        models = httpx.get(f"{engine.url}/v1/models").json()["data"]
        assert [model["id"] for model in models] == [BASE_MODEL]
        key = {"authorization": f"Bearer {keyring.create('test', ('admin',))}"}
        another = {"authorization": f"Bearer {keyring.create('another', ('train',))}"}
        assert httpx.get(f"{both[0].url}/v1/evaluations", params={"job_id": "job-1"}, headers=another).json() == []
        assert httpx.get(f"{both[0].url}/v1/evaluations/job-1/10/samples", headers=another).status_code == 404
        listed = httpx.get(f"{both[0].url}/v1/evaluations", params={"job_id": "job-1"}, headers=key).json()
        assert [evaluation["step"] for evaluation in listed] == [10, 20]
        one = httpx.get(f"{both[1].url}/v1/evaluations/job-1/10", headers=key).json()
        assert one["scores"]["bleu"]["base_value"] == pytest.approx(first.base_scores["bleu"].value)
        samples = httpx.get(f"{both[0].url}/v1/evaluations/job-1/10/samples", params={"limit": 3}, headers=key)
        assert samples.json() == rows[:3]
        assert httpx.get(f"{both[0].url}/v1/evaluations/job-1/11", headers=key).status_code == 404
        assert httpx.get(f"{both[0].url}/v1/evaluations?job_id=job-1").status_code == 401
        assert httpx.get(f"{both[0].url}/readyz").json()["engine"] == "ok"


async def test_an_adapter_that_cannot_work_is_an_evaluation_with_an_error_and_the_engine_lives(
    bus_settings, engine, adapters, tmp_path
) -> None:
    files = Artifacts(bus_settings.artifacts)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((adapters[0] / "adapter_config.json").read_bytes())
    (broken / "adapter_model.safetensors").write_bytes(b"\xff" * 5000)
    missing = Artifact(uri="file:///nowhere", sha256="0" * 64, bytes=1)
    events = [
        checkpoint(bus_settings, files.put_folder(broken), 10, SHORT),
        checkpoint(bus_settings, missing, 20, SHORT),
    ]
    with evaluator(bus_settings, engine, tmp_path, "evaluator-1"):
        await send(bus_settings, *events)
        refused, damaged = await evaluations(bus_settings, 2)
        await nothing_is_left(bus_settings, done=2)
    assert refused.error is not None
    assert refused.error.code == "adapter_refused"
    assert "deserializing header" in refused.error.message
    assert damaged.error is not None
    assert damaged.error.code == "artifact_damaged"
    assert refused.scores == damaged.scores == {}
    assert httpx.get(f"{engine.url}/health").status_code == 200


async def test_a_checkpoint_that_forgot_what_the_base_knows_is_caught(bus_settings, engine, adapters, tmp_path) -> None:
    """Weights made at random know nothing any more; a task with code in it is refused and hurts no other."""
    rows = [json.loads(line) for line in (SHIPPED / "general-en.jsonl").read_text().splitlines()][::4]
    shown = [json.loads(line) for line in (SHIPPED / "general-en-examples.jsonl").read_text().splitlines()]
    task = {
        "name": "english",
        "kind": "multiple_choice",
        "data": {"rows": rows},
        "examples": {"rows": shown},
        "shots": 2,
    }
    (tmp_path / "known.yaml").write_text(json.dumps({"tasks": [task]}))
    (tmp_path / "mixed.yaml").write_text("tasks: [{name: code, data: !function x}]")
    forgot = Artifacts(bus_settings.artifacts).put_folder(adapters[0])
    event = checkpoint(bus_settings, forgot, 10, SHORT, rows=2, suite="known,mixed")
    own = {"EVALUATOR_SUITES": json.dumps([str(tmp_path)])}
    with evaluator(bus_settings, engine, tmp_path, "evaluator-1", **own):
        await send(bus_settings, event)
        [done] = await evaluations(bus_settings, 1)
    assert done.error is None
    assert {name: why.code for name, why in done.task_errors.items()} == {"mixed.code": "code_refused"}
    knew, knows = done.base_scores["known.english.accuracy"], done.scores["known.english.accuracy"]
    assert (knew.n, knows.n) == (40, 40)
    assert knew.value > knows.value + 0.2
    assert done.scores["known.kept"].value == 0

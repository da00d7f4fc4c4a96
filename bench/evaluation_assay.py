"""Assay's evaluators with real NATS, MongoDB and vLLM: events announce checkpoints and return scores."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import nats

from bench.evaluation_peers import Choices
from bench.evaluation_tasks import NAME, Suite
from bench.side_by_side import FOLDER, free_port
from deploy.local import stack
from deploy.local.settings import BASE_MODEL, LocalSettings
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope
from shared.consumers import EVENTS_STREAM
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics

TEST = {"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]}


class Assay:
    """One evaluator on the engine, in a separate local stack without trainer, review and gateway."""

    def __init__(self, state: Path, suite: Suite, adapters: Sequence[Path], engine_url: str) -> None:
        ports = {name: free_port() for name in LocalSettings.model_fields if name.endswith("_port")}
        ports["vllm_port"] = int(engine_url.rpartition(":")[2])
        self._settings = LocalSettings(state_dir=state, models_dir=FOLDER.resolve() / "models", **ports)
        self._adapters = adapters
        # The programs of the stack inherit the environment.
        suites = json.dumps([str(suite.folder)])
        os.environ.update({"EVALUATOR_SUITES": suites, "EVALUATOR_ENGINE_MODE": "weights"})

    def run(self) -> tuple[list[Choices], float, float]:
        """The choices per checkpoint, the seconds from the first event to the last score, and the seconds before that.

        One checkpoint precedes the timed ones, so that the base model is scored once; its choices are not returned.
        """
        try:
            stack.up(self._settings, print, only=("nats", "mongo", "topology", "evaluator-1"))
            return asyncio.run(self._score())
        finally:
            stack.down(self._settings, print)

    async def _score(self) -> tuple[list[Choices], float, float]:
        files = Artifacts(str(self._settings.state / "artifacts"))
        url = f"nats://127.0.0.1:{self._settings.nats_port}"
        began_at = time.perf_counter()
        await score(url, files, self._adapters[:1])
        warm_at = time.perf_counter()
        done = await score(url, files, self._adapters[1:], first_step=1)
        spent_s = time.perf_counter() - warm_at
        return [_choices(files, each) for each in done], spent_s, warm_at - began_at


async def score(nats_url: str, files: Artifacts, adapters: Sequence[Path], first_step: int = 0) -> list[EvalDone]:
    """Announce the checkpoints in these folders and wait for their scores; returns them in the same order."""
    test = Split(artifact=files.put_bytes(json.dumps(TEST).encode()), rows=1)
    saved = [_saved(step, files.put_folder(folder), test) for step, folder in enumerate(adapters, start=first_step)]
    done: dict[int, EvalDone] = {}
    client = await nats.connect(nats_url)
    try:
        js = client.jetstream()
        subscription = await js.subscribe("eval.done", stream=EVENTS_STREAM, ordered_consumer=True)
        for event in saved:
            await js.publish(event.type, Envelope.of(event, "bench").model_dump_json().encode())
        while not all(event.candidate.step in done for event in saved):
            each = _event((await subscription.next_msg(timeout=1800)).data)
            done[each.candidate.step] = each
    finally:
        await client.close()
    return [done[event.candidate.step] for event in saved]


def _saved(step: int, adapter: Artifact, test: Split) -> CheckpointSaved:
    candidate = Candidate(
        job_id="bench",
        step=step,
        base_model=BASE_MODEL,
        model_name=f"bench-{step}",
        adapter=adapter,
        lora_rank=16,
        suite=NAME,
    )
    return CheckpointSaved(candidate=candidate, total_steps=4, metrics=TrainingMetrics(step=step), test=test)


def _event(content: bytes) -> EvalDone:
    done = EvalDone.model_validate(Envelope.model_validate_json(content).data)
    if done.error or done.task_errors:
        raise RuntimeError(f"a checkpoint was not scored: {done.error} {done.task_errors}")
    return done


def _choices(files: Artifacts, done: EvalDone) -> Choices:
    lines = [line for samples in done.task_samples.values() for line in files.read(samples).splitlines()]
    return {row["question"]: row["answer"] for row in map(json.loads, lines)}

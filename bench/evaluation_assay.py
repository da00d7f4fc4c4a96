"""Assay's evaluators over their real surroundings: checkpoints are told of by event, and scores come by event."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import nats

from bench.evaluation_peers import Choices, engine
from bench.evaluation_tasks import NAME, Suite
from bench.side_by_side import FOLDER, free_port
from deploy.local import stack
from deploy.local.settings import BASE_MODEL, LocalSettings
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics
from shared.topology import EVENTS_STREAM

SERVICES = ("nats", "mongo", "topology")
MODE = os.environ.get("BENCH_ENGINE", "weights")
TEST = {"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]}


class Assay:
    """One local stack without trainer, review and gateway; its state lies in a folder of its own."""

    def __init__(self, state: Path, suite: Suite, base: Path, adapters: Sequence[Path]) -> None:
        ports = {name: free_port() for name in LocalSettings.model_fields if name.endswith("_port")}
        self._settings = LocalSettings(state_dir=state, models_dir=FOLDER.resolve() / "models", **ports)
        self._suite = suite
        self._base = base
        self._adapters = adapters
        self.started_s = 0.0

    def run(self) -> tuple[list[Choices], float]:
        """Each checkpoint's choices, and the seconds from the first checkpoint's event to the last score's."""
        os.environ["EVALUATOR_SUITES"] = json.dumps([str(self._suite.folder)])
        try:
            return self._on_weights() if MODE == "weights" else self._on_adapters()
        finally:
            stack.down(self._settings, print)

    def _on_adapters(self) -> tuple[list[Choices], float]:
        """Two evaluators on one engine, as on a laptop."""
        started = time.perf_counter()
        stack.up(self._settings, print, only=("vllm",))
        self.started_s = time.perf_counter() - started
        stack.up(self._settings, print, only=(*SERVICES, "evaluator-1", "evaluator-2"))
        return asyncio.run(self._score())

    def _on_weights(self) -> tuple[list[Choices], float]:
        """One evaluator with an engine of its own, whose weights it replaces."""
        os.environ["EVALUATOR_ENGINE_MODE"] = "weights"
        started = time.perf_counter()
        with engine(self._base, BASE_MODEL, self._settings.vllm_port):
            self.started_s = time.perf_counter() - started
            stack.up(self._settings, print, only=(*SERVICES, "evaluator-1"))
            return asyncio.run(self._score())

    async def _score(self) -> tuple[list[Choices], float]:
        files = Artifacts(str(self._settings.state / "artifacts"))
        test = Split(artifact=files.put_bytes(json.dumps(TEST).encode()), rows=1)
        saved = [_saved(n, files.put_folder(folder), test) for n, folder in enumerate(self._adapters, start=1)]
        client = await nats.connect(f"nats://127.0.0.1:{self._settings.nats_port}")
        js = client.jetstream()
        told = await js.subscribe("eval.done", stream=EVENTS_STREAM, ordered_consumer=True)
        started = time.perf_counter()
        for event in saved:
            await js.publish(event.type, Envelope.of(event, "bench").model_dump_json().encode())
        done = [_event((await told.next_msg(timeout=1800)).data) for _ in saved]
        spent = time.perf_counter() - started
        await client.close()
        return [_choices(files, each) for each in sorted(done, key=lambda each: each.candidate.step)], spent


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
        raise RuntimeError(f"not scored: {done.error} {done.task_errors}")
    return done


def _choices(files: Artifacts, done: EvalDone) -> Choices:
    lines = [line for samples in done.task_samples.values() for line in files.read(samples).splitlines()]
    return {row["question"]: row["answer"] for row in map(json.loads, lines)}

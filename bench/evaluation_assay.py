"""Assay's evaluators with real NATS, MongoDB and vLLM: events announce checkpoints and return scores."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nats

from bench.evaluation_peers import Choices
from bench.evaluation_tasks import BY_HARNESS, NAME, SUBJECTS, TEXTS, Suite
from bench.side_by_side import FOLDER, free_port
from deploy.local import stack
from deploy.local.nats_passwords import operator_url
from deploy.local.settings import BASE_MODEL, LocalSettings
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope
from shared.consumers import EVENTS_STREAM
from shared.events import Artifact, Candidate, CheckpointSaved, EvalDone, Split, TrainingMetrics

TEST = {"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]}


@dataclass(frozen=True)
class Scored:
    """The choices per checkpoint, the seconds from the first event to the last score, and the seconds before that."""

    choices: list[Choices]
    seconds: float
    before_s: float


@dataclass(frozen=True)
class AssaysScores:
    """By Assay's own suite and by the harness's evaluator; and the perplexity of the texts for each checkpoint."""

    own: Scored
    by_harness: Scored
    perplexities: list[float]


class Assay:
    """One evaluator on the engine, in a separate local stack without trainer, review and gateway."""

    def __init__(self, state: Path, suite: Suite, adapters: Sequence[Path], engine_url: str) -> None:
        ports = {name: free_port() for name in LocalSettings.model_fields if name.endswith("_port")}
        ports["vllm_port"] = int(engine_url.rpartition(":")[2])
        self._settings = LocalSettings(state_dir=state, models_dir=FOLDER.resolve() / "models", **ports)
        self._suite = suite
        self._adapters = adapters
        # The programs of the stack inherit the environment.
        suites = json.dumps([str(suite.folder)])
        os.environ.update({"EVALUATOR_SUITES": suites, "EVALUATOR_ENGINE_MODE": "weights"})
        os.environ["EVALUATOR_LM_EVAL_TASKS"] = str(suite.harness)

    def run(self) -> AssaysScores:
        """One checkpoint precedes those that are timed, so that the base model is scored once; it is not returned."""
        try:
            stack.up(self._settings, print, only=("nats", "mongo", "topology", "evaluator-1"))
            return asyncio.run(self._score())
        finally:
            stack.down(self._settings, print)

    async def _score(self) -> AssaysScores:
        files = Artifacts(str(self._settings.state / "artifacts"))
        own = await self._timed(NAME, files, _choices)
        by_harness = await self._timed(BY_HARNESS, files, self._harness_choices)
        texts = await score(self._url, files, self._adapters[1:], first_step=1, suite=TEXTS)
        perplexities = [done.scores[f"{TEXTS}.{TEXTS}.word_perplexity"].value for done in texts]
        return AssaysScores(own, by_harness, perplexities)

    async def _timed(self, suite: str, files: Artifacts, choices: Callable[[Artifacts, EvalDone], Choices]) -> Scored:
        began_at = time.perf_counter()
        await score(self._url, files, self._adapters[:1], suite=suite)
        warm_at = time.perf_counter()
        done = await score(self._url, files, self._adapters[1:], first_step=1, suite=suite)
        seconds = time.perf_counter() - warm_at
        return Scored([choices(files, each) for each in done], seconds, warm_at - began_at)

    def _harness_choices(self, files: Artifacts, done: EvalDone) -> Choices:
        lines = files.read(done.task_samples[f"{BY_HARNESS}.{SUBJECTS}"]).splitlines()
        answers: dict[str, list[int]] = {}
        for line in map(json.loads, lines):
            answers.setdefault(line["subject"], []).append(int(line["answer"]))
        return {
            row["question"]: row["choices"][answer]
            for task, rows in self._suite.rows.items()
            for row, answer in zip(rows, answers[task], strict=True)
        }

    @property
    def _url(self) -> str:
        return operator_url(self._settings)


async def score(
    nats_url: str, files: Artifacts, adapters: Sequence[Path], *, first_step: int = 0, suite: str = NAME
) -> list[EvalDone]:
    """Announce the checkpoints in these folders and wait for their scores; returns them in the same order."""
    test = Split(artifact=files.put_bytes(json.dumps(TEST).encode()), rows=1)
    placed = [(step, files.put_folder(folder)) for step, folder in enumerate(adapters, start=first_step)]
    saved = [_saved(suite, step, adapter, test) for step, adapter in placed]
    done: dict[int, EvalDone] = {}
    client = await nats.connect(nats_url)
    try:
        js = client.jetstream()
        subscription = await js.subscribe("eval.done", stream=EVENTS_STREAM, ordered_consumer=True)
        for event in saved:
            await js.publish(event.type, Envelope.of(event, "bench").model_dump_json().encode())
        while not all(event.candidate.step in done for event in saved):
            each = _event((await subscription.next_msg(timeout=1800)).data)
            if each.candidate.suite == suite:
                done[each.candidate.step] = each
    finally:
        await client.close()
    return [done[event.candidate.step] for event in saved]


def _saved(suite: str, step: int, adapter: Artifact, test: Split) -> CheckpointSaved:
    candidate = Candidate(
        job_id=suite,
        step=step,
        base_model=BASE_MODEL,
        model_name=f"bench-{step}",
        adapter=adapter,
        lora_rank=16,
        suite=suite,
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

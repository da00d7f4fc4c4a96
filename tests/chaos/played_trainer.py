"""Plays the trainer: answers each requested job with checkpoints of made-up weights, by the trainer's own events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from nats.errors import Error as NatsError
from safetensors.numpy import save_file

from shared import topology
from shared.artifacts import Artifacts
from shared.cloudevents import Envelope, EventData
from shared.events import (
    Artifact,
    Candidate,
    CheckpointSaved,
    DatasetReady,
    TrainingFinished,
    TrainingMetrics,
    TrainingQueued,
    TrainingRequested,
)
from tests.chaos.line import Line
from tests.gateway import BASE
from tests.weights import pair


@dataclass
class PlayedTrainer:
    """Reads the stream from its start; every event that it publishes has the trainer's id, so repeating is safe."""

    line: Line
    connection: Any
    ready: dict[str, DatasetReady] = field(default_factory=dict)
    requested: dict[str, TrainingRequested] = field(default_factory=dict)
    trained: set[str] = field(default_factory=set)
    _next: int = 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            # An outage of NATS or of the artifacts: everything waits.
            with suppress(NatsError, OSError):
                await self._read()
                for job_id, asked in self.requested.items():
                    if job_id not in self.trained and asked.training_file in self.ready:
                        await self._train(asked)
                        self.trained.add(job_id)
            await asyncio.sleep(0.3)

    async def _read(self) -> None:
        js = self.connection.jetstream(timeout=5)
        last = (await js.stream_info(topology.EVENTS_STREAM)).state.last_seq
        while self._next <= last:
            message = await js.get_msg(topology.EVENTS_STREAM, self._next)
            self._note(message.subject, message.data)
            self._next += 1

    def _note(self, subject: str, body: bytes) -> None:
        if subject == DatasetReady.type:
            fact = DatasetReady.model_validate(json.loads(body)["data"])
            self.ready[fact.file_id] = fact
        elif subject == TrainingRequested.type:
            asked = TrainingRequested.model_validate(json.loads(body)["data"])
            self.requested[asked.job_id] = asked

    async def _train(self, asked: TrainingRequested) -> None:
        splits = self.ready[asked.training_file].splits
        steps = tuple(range(1, 1 + (asked.spec.hyperparameters.n_checkpoints or 1)))
        # With one checkpoint there is nothing to choose between.
        validation = splits.validation if len(steps) > 1 else None
        await self._publish(TrainingQueued(job_id=asked.job_id))
        for step in steps:
            adapter = await asyncio.to_thread(made_up_adapter, self.line, asked.job_id, step)
            metrics = TrainingMetrics(step=step, train_loss=1 / step, valid_loss=1 / step)
            made = {"metrics": metrics, "total_steps": steps[-1], "test": splits.test, "validation": validation}
            await self._publish(CheckpointSaved(candidate=_candidate(asked, step, adapter), **made))
        await self._publish(TrainingFinished(job_id=asked.job_id, status="succeeded", checkpoints=steps))

    async def _publish(self, fact: EventData) -> None:
        await publish(self.connection, fact, "trainer")


async def publish(connection: Any, fact: EventData, source: str) -> None:
    """Publish a fact as the service that owns it would."""
    envelope, js = Envelope.of(fact, source), connection.jetstream(timeout=5)
    body = envelope.model_dump_json(exclude_none=True).encode()
    await js.publish(fact.type, body, stream=topology.stream_of(type(fact)), headers={"Nats-Msg-Id": envelope.id})


def made_up_adapter(line: Line, job_id: str, step: int) -> Artifact:
    """An adapter that no other job has."""
    folder = line.folder / "adapters" / f"{job_id}-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "lora_alpha": 8, "r": 4, "base_model_name_or_path": BASE, "job": job_id}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(pair(), folder / "adapter_model.safetensors")
    return Artifacts(line.settings.artifacts, create=False).put_folder(folder)


def _candidate(asked: TrainingRequested, step: int, adapter: Artifact) -> Candidate:
    return Candidate(
        job_id=asked.job_id,
        step=step,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay:{asked.spec.suffix}:{asked.job_id.removeprefix('ftjob-')}:ckpt-step-{step}",
        adapter=adapter,
        lora_rank=4,
        suffix=asked.spec.suffix,
        policy=asked.spec.policy,
        owner=asked.owner,
    )

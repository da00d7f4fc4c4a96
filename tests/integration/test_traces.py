"""One trace from an upload to the rollout of the version, exported over HTTP; the first answer is linked to it.

The five services, NATS, MongoDB and the export are real. Training, the model's answers and the engine are scripted.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import services.evaluator.app
import services.trainer.app
from services.evaluator.scoring.domain.item import Item
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.worker_messages import CheckpointWritten, JobFinished, StepDone
from services.trainer.ports import BaseModel
from shared import tracing
from shared.artifacts import Artifacts
from shared.events import Artifact, TrainingMetrics
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.tracing import provider
from tests.evaluator import ScriptedScorer
from tests.five_services import FiveServices, admin_key, five_services
from tests.gateway import BASE, eventually, rows
from tests.otlp_receiver import OtlpReceiver, attributes_of, otlp_receiver
from tests.scripted_engine import adapter, scripted_engine

ALIAS = "traced"
# The line from an upload to the rollout: published, and handled by the next service.
LINE = (
    "POST /v1/files",
    "dataset.uploaded publish",
    "dataset.uploaded process",
    "dataset.ready process",
    "training.requested process",
    "training.queued process",
    "training run",
    "checkpoint.saved process",
    "evaluation",
    "eval.done process",
    "training.finished process",
    "evaluation.requested process",
    "evaluation.answered process",
    "model.approved process",
    "rollout",
    "model.deployed process",
)


class ScriptedWorker:
    """Takes the place of the process that trains: two steps and one checkpoint."""

    def __init__(self, made: Artifact) -> None:
        self.made = made

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        metrics = TrainingMetrics(step=2, train_loss=0.5, valid_loss=0.6)
        for step in (1, 2):
            done = StepDone(
                step=step, total_steps=2, metrics=metrics.model_copy(update={"step": step}), trained_tokens=9
            )
            yield done.model_dump(mode="json")
        written = CheckpointWritten(step=2, adapter=self.made, state=self.made, metrics=metrics)
        yield written.model_dump(mode="json")
        yield JobFinished(trained_tokens=9, duration_s=1, peak_memory_bytes=1).model_dump(mode="json")

    def ask_to_stop(self) -> None: ...

    def ask_to_save_and_stop(self) -> None: ...

    async def kill(self) -> None: ...


class ScriptedWorkers:
    def __init__(self, made: Artifact) -> None:
        self.made = made

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        yield

    async def start(self, run: TrainingRun, base_model: BaseModel) -> ScriptedWorker:
        return ScriptedWorker(self.made)


class OneBaseModel:
    async def find(self, name: str) -> BaseModel:
        return BaseModel(name=name, path="/nowhere", hidden_size=64, blocks=2)


class Scorer(ScriptedScorer):
    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        yield


def tuned_models_are_right(version: str | None, _place: int, item: Item) -> str:
    return item.reference if version else "I do not know."


@pytest.fixture
def without_models(bus_settings: CommonSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that are built from now on train and answer by script."""
    made = adapter(bus_settings, 1)
    scorer = Scorer(Artifacts(bus_settings.artifacts), tuned_models_are_right)
    monkeypatch.setattr(services.trainer.app, "WorkerProcesses", lambda *_: ScriptedWorkers(made))
    monkeypatch.setattr(services.trainer.app, "NamedBaseModels", lambda _: OneBaseModel())
    monkeypatch.setattr(services.evaluator.app, "WorkerScorer", lambda _: scorer)


async def train_and_serve(at: FiveServices) -> str:
    """Upload, train, let the policy approve, and wait until the name means the version; the job's id."""
    policy = {"mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.5}]}
    assert (await at.review.put("/v1/policies/automatic-here", json=policy)).is_success
    assert (await at.review.put(f"/v1/names/{ALIAS}/policy", json={"policy": "automatic-here"})).is_success
    files = {"file": ("rows.jsonl", rows(40))}
    uploaded = (await at.http.post("/v1/files", data={"purpose": "fine-tune"}, files=files)).json()
    await at.idle()
    asked = {"model": BASE, "training_file": uploaded["id"], "suffix": ALIAS}
    job = (await at.http.post("/v1/fine_tuning/jobs", json=asked)).json()

    async def served() -> bool:
        return (await at.http.get(f"/v1/models/{ALIAS}")).is_success

    await eventually(served, timeout_s=60)
    return job["id"]


async def ask(at: FiveServices) -> None:
    body = {"model": ALIAS, "messages": [{"role": "user", "content": "q1"}], "stream": True, "temperature": 0.5}
    answer = await at.http.post("/v1/chat/completions", json=body)
    assert answer.is_success, answer.text


def without_parent(receiver: OtlpReceiver, spans: list[Span]) -> list[str]:
    """The names of the spans whose parent was not exported."""
    return [span.name for span in spans if span.parent_span_id.hex() not in receiver.spans]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("without_models")
async def test_one_trace_leads_from_the_upload_to_the_rollout_and_the_first_answer_is_linked_to_it(
    bus_settings: CommonSettings, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with otlp_receiver() as receiver, scripted_engine() as engine:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        exporting = provider.exporting("five", "test")
        with tracing.use(exporting):
            async with five_services(bus_settings, admin_key(keyring), engine.url) as at:
                job_id = await train_and_serve(at)
                await at.idle()
                for _ in range(2):
                    await ask(at)
            # Each application exported its last spans when it stopped.
        exporting.shutdown()

    assert receiver.services == {"assay-five"}
    [upload] = receiver.named("POST /v1/files")
    spans = receiver.of_trace(upload.trace_id)
    names = [span.name for span in spans]
    assert set(LINE) - set(names) == set()
    assert without_parent(receiver, spans) == ["POST /v1/files"]
    # Five services handled events of this trace.
    consumers = {str(attributes_of(span).get("messaging.consumer.group.name", "")).split("-")[0] for span in spans}
    assert consumers == {"ingest", "trainer", "evaluator", "review", "gateway", ""}
    # Steps of a training make no spans.
    assert not any(name.startswith("training.progress") for name in names)

    [rollout] = receiver.named("rollout")
    causes = [span.name for span in receiver.with_parents(rollout)]
    assert causes[-1] == "POST /v1/files"
    for cause in ("model.approved process", "evaluation.answered process", "checkpoint.saved process", "training run"):
        assert cause in causes
    [training] = receiver.named("training run")
    assert attributes_of(training)["assay.job.id"] == job_id
    assert attributes_of(training)["assay.run.status"] == "succeeded"

    # The request for the job is a trace of its caller, linked to this one.
    [asked] = receiver.named("POST /v1/fine_tuning/jobs")
    assert upload.trace_id in {link.trace_id for link in asked.links}
    chats = sorted(receiver.named(f"chat {ALIAS}"), key=lambda span: span.start_time_unix_nano)
    assert [[link.span_id for link in chat.links] for chat in chats] == [[rollout.span_id], []]
    about = attributes_of(chats[0])
    assert about["gen_ai.operation.name"] == "chat"
    assert about["gen_ai.request.temperature"] == 0.5
    assert about["assay.version"] == attributes_of(rollout)["assay.version"]
    [first, _second] = [receiver.spans[chat.parent_span_id.hex()] for chat in chats]
    assert chats[0].end_time_unix_nano <= first.end_time_unix_nano
    assert attributes_of(first)["gen_ai.usage.output_tokens"] > 0
    assert attributes_of(first)["http.response.status_code"] == 200

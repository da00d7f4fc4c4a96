"""What can be known before training is refused while a job's files are validated."""

import asyncio
import dataclasses
from typing import Any

import pytest

from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import BaseModel, UnknownBaseModel
from shared.events import (
    Artifact,
    DatasetReady,
    DatasetRendered,
    Decoding,
    Failure,
    PoolChanged,
    PromptTemplate,
    Split,
    Splits,
    SuiteOverlap,
    TemplateRef,
    TrainingRequested,
    TrainingSpec,
)
from tests.unit.trainer.in_memory import Service

TEMPLATE = PromptTemplate(
    name="support", version=2, user="问题:{input}", decoding=Decoding(max_tokens=40, temperature=0)
)


def splits(letter: str) -> Splits:
    split = Split(artifact=Artifact(uri="file:///a", sha256=letter * 64, bytes=100), rows=20)
    return Splits(train=split, validation=split, test=split)


async def add_pool(service: Service, at: float = 1, **limits: Any) -> None:
    await service.control.pool_changed(
        PoolChanged(pool="base", base_model="base", mode="adapters", replicas=(), at=at, **limits)
    )


async def admitted(service: Service, ready: dict[str, Any], **spec: Any) -> TrainingRun:
    """A run over one file, whose check found `ready`."""
    await service.control.dataset_ready(DatasetReady(file_id="file", rows=60, splits=splits("a"), **ready))
    asked = TrainingSpec.model_validate({"base_model": "base", **spec})
    await service.control.request(TrainingRequested(job_id="job", training_file="file", spec=asked))
    return await service.run("job")


async def test_rows_that_contain_questions_of_a_suite_need_a_word_of_the_job() -> None:
    overlap = {"suites": (SuiteOverlap(suite="shop", revision=1, questions=2, rows=3),)}
    refused = await admitted(Service(), overlap)
    assert refused.error is not None
    assert (refused.status, refused.error.code, refused.error.param) == (
        "failed",
        "contaminated_training_file",
        "training_file",
    )
    assert "2 of 'shop' in 3 rows" in refused.error.message
    assert (await admitted(Service(), overlap, allow_contaminated=True)).status == "queued"


@pytest.mark.parametrize(
    ("tokenizer", "longest", "kind", "refused"),
    [
        ("base", 2121, "chat", True),
        ("base", 2048, "chat", False),
        # Another tokenizer's count, and an estimate, are not certain.
        ("other", 2121, "chat", False),
        ("", 2121, "chat", False),
        # Texts are cut into pieces.
        ("base", 2121, "text", False),
    ],
)
async def test_rows_that_the_engine_cannot_take_are_refused_before_training(
    tokenizer: str, longest: int, kind: str, refused: bool
) -> None:
    service = Service()
    await add_pool(service, context_length=2048)
    run = await admitted(service, {"tokenizer": tokenizer, "longest_row_tokens": longest, "kind": kind})
    assert (run.error is not None and run.error.code == "rows_too_long") == refused
    if not refused:
        assert run.plan is not None
        assert run.plan.max_length == 2048
        assert "the engine that serves it" in run.plan.reasons["max_length"]


async def test_a_longer_context_or_a_higher_rank_than_the_engines_is_refused() -> None:
    for hyperparameters, param in (({"max_length": 4096}, "max_length"), ({"lora_rank": 32}, "lora_rank")):
        service = Service()
        await add_pool(service, context_length=2048, max_lora_rank=16)
        run = await admitted(service, {}, hyperparameters=hyperparameters)
        assert run.error is not None
        assert (run.error.code, run.error.param) == ("invalid_hyperparameter", param)
        assert "engine" in run.error.message


async def test_a_pool_that_was_removed_limits_nothing() -> None:
    service = Service()
    await add_pool(service, context_length=2048, max_lora_rank=16)
    await add_pool(service, at=2, context_length=2048, max_lora_rank=16, removed=True)
    # Facts may arrive in another order.
    await add_pool(service, at=1.5, context_length=2048, max_lora_rank=16)
    assert (await admitted(service, {}, hyperparameters={"lora_rank": 32})).status == "queued"


async def test_a_job_with_a_template_waits_for_its_rendered_rows_and_trains_on_them() -> None:
    service = Service()
    waiting = await admitted(service, {}, template=TemplateRef(name="support", version=2))
    assert waiting.status == "validating_files"
    rendered = DatasetRendered(job_id="job", file_id="file", template=TEMPLATE, splits=splits("b"))
    await service.control.dataset_rendered(rendered)
    run = await service.run("job")
    assert run.status == "queued"
    assert run.data is not None
    assert run.data.train.artifact.sha256 == "b" * 64
    assert run.data.template == TEMPLATE


async def test_a_template_that_cannot_be_applied_fails_the_job_with_its_reason() -> None:
    service = Service()
    await admitted(service, {}, template=TemplateRef(name="support"))
    error = Failure(code="missing_field", message="line 3 has no field 'place'")
    await service.control.dataset_rendered(DatasetRendered(job_id="job", file_id="file", error=error))
    run = await service.run("job")
    assert run.error is not None
    assert (run.error.code, run.error.param) == ("template_not_applied", "training_file")
    assert "line 3 has no field 'place'" in run.error.message


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (TEMPLATE, ("support", Decoding(max_tokens=8, temperature=0))),
        (None, ("plain", Decoding(max_tokens=8))),
    ],
)
async def test_the_decoding_of_a_job_travels_with_its_rows(template: PromptTemplate | None, expected: Any) -> None:
    run = await admitted(Service(), {"template": template}, decoding=Decoding(max_tokens=8))
    assert run.data is not None
    assert run.data.template is not None
    assert (run.data.template.name, run.data.template.decoding) == expected


class HubAway:
    """The first look-up waits for the hub, which does not know the model; the next ones find it on the disk."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def find(self, name: str) -> BaseModel:
        if not self.asked.is_set():
            self.asked.set()
            await self.answers.wait()
            raise UnknownBaseModel(name)
        return BaseModel(name=name, path="/nowhere", hidden_size=64, blocks=2)


async def test_a_run_that_another_event_queued_meanwhile_is_not_refused_any_more() -> None:
    service, hub = Service(), HubAway()
    await service.request("job", 1.5)
    admission = dataclasses.replace(service.control.admission, base_models=hub)
    control = dataclasses.replace(service.control, admission=admission)
    ready = DatasetReady(file_id="file", rows=60, splits=splits("a"))
    first = asyncio.create_task(control.dataset_ready(ready))
    await hub.asked.wait()
    await control.dataset_ready(ready)
    assert (await service.run("job")).status == "queued"
    hub.answers.set()
    await first
    assert (await service.run("job")).status == "queued"

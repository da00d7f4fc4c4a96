"""The checks of the chaos program find each kind of broken promise."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import topology
from shared.cloudevents import Envelope, EventData
from shared.events import (
    Artifact,
    CheckpointSaved,
    DatasetRejected,
    EvalDone,
    JobEnded,
    ModelApproved,
    ModelDeployed,
    TrainingFinished,
    TrainingRequested,
    TrainingSpec,
)
from tests.chaos import line
from tests.chaos.checks import Checks
from tests.chaos.load import GATES, Answer, Job, Load, Upload
from tests.chaos.schedule import schedule
from tests.chaos.stored_events import Facts, StoredEvents
from tests.gateway import approved, candidate, rejected, saved, scored

MADE = candidate("ftjob-1", adapter=Artifact(uri="memory://a", sha256="a" * 64, bytes=1), suffix="alpha")
LIFE: tuple[EventData, ...] = (
    saved(MADE),
    scored(MADE),
    TrainingFinished(job_id="ftjob-1", status="succeeded", checkpoints=(20,)),
    approved(MADE),
    JobEnded(job_id="ftjob-1", status="succeeded"),
    ModelDeployed(candidate=MADE, alias="alpha", replicas=1, duration_s=0.1),
)
RIGHT = Answer("alpha", MADE.version, frozenset({f"assay-{MADE.version}"}), datetime.now(UTC).timestamp() + 86_400)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    made = Load(line.make(tmp_path, None), random.Random(1), StoredEvents(None))
    made.jobs.append(Job("ftjob-1", "alpha", GATES))
    made.answers.append(RIGHT)
    return made


def findings(load: Load, *facts: EventData) -> list[str]:
    return Checks(load, Facts([Envelope.of(fact, "test") for fact in facts])).findings()


def without(kind: type[EventData]) -> tuple[EventData, ...]:
    return tuple(fact for fact in LIFE if not isinstance(fact, kind))


def test_a_right_run_has_no_finding_although_each_event_is_there_twice(load: Load) -> None:
    assert findings(load, *LIFE, *LIFE) == []


@pytest.mark.parametrize("kind", [TrainingFinished, JobEnded, ModelApproved, EvalDone, CheckpointSaved])
def test_a_missing_event_is_found(load: Load, kind: type[EventData]) -> None:
    assert findings(load, *without(kind))


@pytest.mark.parametrize(
    "more",
    [
        rejected(MADE, "no"),
        scored(MADE).model_copy(update={"duration_s": 9.0}),
        TrainingFinished(job_id="ftjob-1", status="failed"),
        ModelDeployed(candidate=candidate("ftjob-2"), alias="alpha", replicas=1, duration_s=0.1),
        ModelDeployed(candidate=MADE, alias="beta", replicas=1, duration_s=0.1),
        TrainingRequested(job_id="ftjob-3", training_file="f", spec=TrainingSpec(base_model="b")),
    ],
)
def test_something_done_twice_or_without_leave_is_found(load: Load, more: EventData) -> None:
    assert findings(load, *LIFE, more)


@pytest.mark.parametrize(
    "change",
    [
        {"words": RIGHT.words | {"assay-v-other"}},
        {"alias": "beta"},
        {"version": "v-other"},
        {"asked_at": (datetime.now(UTC) - timedelta(hours=1)).timestamp()},
    ],
)
def test_a_wrong_answer_is_found(load: Load, change: dict[str, Any]) -> None:
    load.answers.append(Answer(**{**vars(RIGHT), **change}))
    assert findings(load, *LIFE)


def test_an_upload_with_another_end_is_found(load: Load) -> None:
    load.uploads.append(Upload("file-1", "rows.jsonl", "processed"))
    assert findings(load, *LIFE, DatasetRejected(file_id="file-1", rows=1, bad_rows=1, errors=()))


def test_a_seed_gives_the_same_faults_again() -> None:
    consumers = [consumer.name for consumer in topology.CONSUMERS]
    first, again, other = (schedule(seed, 50, line.SERVICES, consumers, 8.0) for seed in (1, 1, 2))
    assert first == again != other

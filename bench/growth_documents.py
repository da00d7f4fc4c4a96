"""What an installation with many jobs has stored: the documents that the services write, in bulk."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.gateways import BASE
from services.gateway.fine_tuning.domain import job_event
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.serving.domain.deployment import Deployment
from services.trainer.domain.curve.curve_point import CurvePoint
from services.trainer.domain.training_run import TrainingRun
from shared.events import (
    Artifact,
    Candidate,
    DatasetUploaded,
    TrainingFinished,
    TrainingMetrics,
    TrainingProgress,
    TrainingRequested,
    TrainingSpec,
)
from shared.store.entity import Document, Storable, document_of

FILE_ID, EVENTS_OF_A_JOB, JOBS_OF_A_NAME = "file-bench", 30, 10
NAMES = 50
"""Stable names; every tenth job was deployed under one of them."""
OWNERS = 20
_ARTIFACT = Artifact(uri="artifact://0", sha256="0" * 64, bytes=1)


def fill(databases: Path, jobs: int, owner: str) -> None:
    """Write so many jobs, each with its events, its run and its curve; one of `OWNERS` owns a part of them.

    `databases` holds the files of the MongoDB stand-in, whose services have made their collections and ended. Documents
    are written into its SQLite tables, and indexes are made after them: the server itself inserts 20 jobs a second.
    """
    _write(databases / "assay_gateway.db", "files", [_file(owner)])
    for (service, collection), documents in _documents(range(jobs), jobs, owner).items():
        _write(databases / f"assay_{service}.db", collection, documents)


def _write(database: Path, collection: str, documents: Iterable[Document]) -> None:
    if not database.exists():
        raise FileNotFoundError(f"{database}: the MongoDB stand-in keeps its databases elsewhere now")
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        asked = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
        indexes = connection.execute(asked, (collection,)).fetchall()
        for name, _ in indexes:
            connection.execute(f'DROP INDEX "{name}"')
        rows = ((each["_id"], json.dumps(each, separators=(",", ":"))) for each in documents)
        connection.executemany(f'INSERT INTO "{collection}" (_id, data) VALUES (?, ?)', rows)
        for _, definition in indexes:
            connection.execute(definition)


def _documents(numbers: range, jobs: int, owner: str) -> dict[tuple[str, str], Iterator[Document]]:
    began_at = int(time.time()) - jobs - 1
    owners = [owner, *(f"key_{number}" for number in range(1, OWNERS))]
    request = TrainingRequested(job_id="job", training_file=FILE_ID, spec=TrainingSpec(base_model=BASE))
    job = _document(
        Job(
            id="job",
            known=True,
            requested=request,
            labels=["none"],
            started=True,
            status="succeeded",
            finished=TrainingFinished(job_id="job", status="succeeded"),
        )
    )
    run = _document(TrainingRun(id="job", request=request, status="succeeded"))
    events = [_document(event) for event in _events(request)]
    points = [_document(CurvePoint(job_id="job", attempt=1, metrics=_metrics(step))) for step in range(1, 28)]
    deployment = _document(Deployment(id="job", at=0, candidate=_candidate(), status="deployed", told=True))

    def of_job(like: Document, number: int, **fields: Any) -> Document:
        asked = {**request.model_dump(mode="json"), "job_id": _job_id(number), "owner": owners[number % OWNERS]}
        return {**like, "_id": _job_id(number), **fields, **{each: asked for each in fields if fields[each] is None}}

    def deployed(number: int) -> Document:
        adapter = {**_ARTIFACT.model_dump(), "sha256": f"{number:064x}"}
        made = {**deployment["candidate"], "job_id": _job_id(number), "adapter": adapter}
        made |= {"suffix": f"name-{number % NAMES}", "model_name": f"ft:{BASE}:assay::{number}"}
        return {**deployment, "_id": _job_id(number), "at": began_at + number, "candidate": made}

    return {
        ("gateway", "jobs"): (
            of_job(job, n, at=float(began_at + n), owner=owners[n % OWNERS], requested=None) for n in numbers
        ),
        ("gateway", "messages"): (
            {**event, "_id": f"ftevent-{n}-{place}", "job_id": _job_id(n), "at": float(began_at + n + place)}
            for n in numbers
            for place, event in enumerate(events)
        ),
        ("gateway", "deployments"): (deployed(n) for n in numbers if n % JOBS_OF_A_NAME == 0),
        ("trainer", "runs"): (of_job(run, n, created_at=began_at + n, request=None) for n in numbers),
        ("trainer", "points"): (
            {**point, "_id": f"{_job_id(n)}/1/{place}", "job_id": _job_id(n)}
            for n in numbers
            for place, point in enumerate(points)
        ),
    }


def _job_id(number: int) -> str:
    return f"ftjob-{number:012}"


def _document(entity: Storable) -> Document:
    return document_of(entity, 0, [])


def _metrics(step: int) -> TrainingMetrics:
    return TrainingMetrics(step=step, train_loss=2.0 / step, learning_rate=1e-4, grad_norm=1.0, tokens_per_s=2000.0)


def _events(request: TrainingRequested) -> list[JobEvent]:
    """Thirty: what a short training writes."""
    steps = [
        TrainingProgress(job_id=request.job_id, attempt=1, step=step, total_steps=27, metrics=_metrics(step))
        for step in range(1, EVENTS_OF_A_JOB - 2)
    ]
    finished = TrainingFinished(job_id=request.job_id, status="succeeded")
    made = [job_event.requested(request), job_event.queued(request.job_id), *map(job_event.progress, steps)]
    return [*made, job_event.finished(finished)]


def _candidate() -> Candidate:
    return Candidate(job_id="job", step=1, base_model=BASE, model_name="model", adapter=_ARTIFACT, lora_rank=8)


def _file(owner: str) -> Document:
    upload = DatasetUploaded(file_id=FILE_ID, filename="rows.jsonl", artifact=_ARTIFACT, owner=owner)
    return _document(UploadedFile(id=FILE_ID, at=1.0, owner=owner, upload=upload, known=True))

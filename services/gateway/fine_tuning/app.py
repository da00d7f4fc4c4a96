"""Builds the fine-tuning part: files, jobs, checkpoints."""

from collections.abc import Container
from dataclasses import dataclass

from services.gateway.common.app import Part, Resources
from services.gateway.fine_tuning.api import checkpoint_permissions, files, jobs, uploads
from services.gateway.fine_tuning.domain.alias_owner import AliasOwner
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.checkpoint_permission import CheckpointPermission
from services.gateway.fine_tuning.domain.configuration import Configuration
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.domain.uploads.upload import Upload
from services.gateway.fine_tuning.service.alias_ownership import AliasOwnership
from services.gateway.fine_tuning.service.artifact_references import ArtifactReferences
from services.gateway.fine_tuning.service.checkpoint_permissions import CheckpointPermissions
from services.gateway.fine_tuning.service.configurations import Configurations
from services.gateway.fine_tuning.service.files import Files
from services.gateway.fine_tuning.service.holdings import Holdings
from services.gateway.fine_tuning.service.job_checks import JobChecks
from services.gateway.fine_tuning.service.job_event_log import JobEventLog
from services.gateway.fine_tuning.service.job_projection import JobProjection
from services.gateway.fine_tuning.service.jobs import Jobs
from services.gateway.fine_tuning.service.restoration import FineTuningRestoration
from services.gateway.fine_tuning.service.result_files import ResultFiles
from services.gateway.fine_tuning.service.start_checkpoints import StartCheckpoints
from services.gateway.fine_tuning.service.uploads import Uploads
from shared.retention import Retention
from shared.store import Collection
from shared.upload_staging import UploadStaging
from shared.web import background

UPLOADED_FILE_INDEXES = (
    ("known", "at"),
    ("known", "owner", "at"),
    ("known", "upload.purpose", "at"),
    ("known", "owner", "upload.purpose", "at"),
    "upload.artifact.sha256",
    *(f"ready.splits.{split}.artifact.sha256" for split in ("train", "validation", "test")),
)
JOB_INDEXES = (
    ("known", "at"),
    ("known", "owner", "at"),
    ("labels", "at"),
    ("owner", "status"),
    ("fine_tuned_model", "status"),
    "requested.training_file",
    "requested.validation_file",
)
CHECKPOINT_INDEXES = (("job_id", "saved", "at"), ("model_name", "saved"), "candidate.adapter.sha256")


@dataclass(frozen=True)
class FineTuning:
    """The part, and what other parts use of it."""

    part: Part
    files: Collection[UploadedFile]
    jobs: Collection[Job]
    checkpoints: Collection[Checkpoint]
    alias_owners: Collection[AliasOwner]
    aliases: AliasOwnership
    permissions: CheckpointPermissions
    artifacts: ArtifactReferences
    holdings: Holdings
    file_use_cases: Files
    job_use_cases: Jobs
    projection: JobProjection
    configurations: Configurations
    restoration: FineTuningRestoration


def fine_tuning(resources: Resources, *, base_models: Container[str]) -> FineTuning:
    """`base_models` are the names of the pools, as they are at any time."""
    settings = resources.settings
    stored_files = resources.collection("files", UploadedFile, UPLOADED_FILE_INDEXES)
    stored_jobs = resources.collection("jobs", Job, JOB_INDEXES)
    job_events = resources.collection("messages", JobEvent, [("job_id", "at"), ("job_id", "type", "at"), "at"])
    checkpoints = resources.collection("checkpoints", Checkpoint, CHECKPOINT_INDEXES)
    alias_owners = resources.collection("claims", AliasOwner)
    granted = resources.collection("permissions", CheckpointPermission, [("model", "removed", "at")])

    configurations = Configurations(resources.collection("configurations", Configuration, [("base_model", "deleted")]))
    aliases = AliasOwnership(views=alias_owners)
    log = JobEventLog(views=job_events)
    permissions = CheckpointPermissions(views=granted, checkpoints=checkpoints, jobs=stored_jobs)
    references = ArtifactReferences(store=resources.artifacts, files=stored_files, checkpoints=checkpoints)
    holdings = Holdings(jobs=stored_jobs, files=stored_files, quotas=resources.quotas)
    file_use_cases = Files(views=stored_files, artifacts=resources.artifacts, references=references, holdings=holdings)
    uploads_in_parts = Uploads(
        views=resources.collection("uploads", Upload, ["expires_at", ("owner", "expires_at")]),
        staging=UploadStaging(settings.common.artifacts, resources.artifacts),
        files=file_use_cases,
        max_file_bytes=settings.max_file_bytes,
    )
    job_use_cases = Jobs(
        views=stored_jobs,
        files=stored_files,
        checkpoints=checkpoints,
        log=log,
        start_checkpoints=StartCheckpoints(base_models=base_models, jobs=stored_jobs, checkpoints=checkpoints),
        max_lora_rank=settings.max_lora_rank,
        aliases=aliases,
        checks=JobChecks(configurations),
        holdings=holdings,
    )
    results = ResultFiles(
        views=stored_jobs,
        files=stored_files,
        job_events=job_events,
        checkpoints=checkpoints,
        artifacts=resources.artifacts,
    )
    projection = JobProjection(
        jobs=job_use_cases,
        files=file_use_cases,
        views=stored_jobs,
        checkpoints=checkpoints,
        log=log,
        results=results,
    )
    part = Part(
        routes=[files.routes, uploads.routes, jobs.routes, checkpoint_permissions.routes],
        dependencies={
            "files": file_use_cases,
            "uploads": uploads_in_parts,
            "jobs": job_use_cases,
            "permissions": permissions,
            "max_file_bytes": settings.max_file_bytes,
        },
        lifespan=[background(uploads_in_parts.run)],
        retentions=[Retention(job_events, settings.job_event_days)],
    )
    return FineTuning(
        part=part,
        files=stored_files,
        jobs=stored_jobs,
        checkpoints=checkpoints,
        alias_owners=alias_owners,
        aliases=aliases,
        permissions=permissions,
        artifacts=references,
        holdings=holdings,
        file_use_cases=file_use_cases,
        job_use_cases=job_use_cases,
        projection=projection,
        configurations=configurations,
        restoration=FineTuningRestoration(
            alias_owners=alias_owners, permissions=granted, files=file_use_cases, jobs=stored_jobs, log=log
        ),
    )

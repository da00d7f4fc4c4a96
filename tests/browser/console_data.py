"""Jobs, files, checkpoints and names of a console, as events of other services would have made them."""

import time
from dataclasses import dataclass, field
from typing import Any

from services.gateway.console.service.overview import Overviews
from services.gateway.events.ports import StreamLevel
from services.gateway.events.service.stream_fill import StreamFill
from services.gateway.fine_tuning.domain.alias_owner import AliasOwner
from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.configuration import Configuration
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.domain.job_event import JobEvent
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.gateway.fine_tuning.service.alias_ownership import AliasOwnership
from services.gateway.fine_tuning.service.configurations import Configurations
from services.gateway.fine_tuning.service.holdings import Holdings
from services.gateway.fine_tuning.service.job_checks import JobChecks
from services.gateway.fine_tuning.service.job_event_log import JobEventLog
from services.gateway.fine_tuning.service.jobs import Jobs
from services.gateway.fine_tuning.service.ranking_metrics import RankingMetrics
from services.gateway.fine_tuning.service.start_checkpoints import StartCheckpoints
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.service.directory import Directory
from shared.events import (
    Artifact,
    Candidate,
    Comparison,
    DatasetRejected,
    DatasetUploaded,
    EvalDone,
    Failure,
    Interval,
    ModelApproved,
    ModelDeployed,
    ReviewOpened,
    RowError,
    RuleOutcome,
    Score,
    TrainingMetrics,
    TrainingProgress,
    TrainingRequested,
    TrainingSpec,
    Verdict,
)
from shared.store import MemoryStore
from tests.browser.site import at_once
from tests.quotas import QUOTAS

BASE = "smollm2-135m-instruct"
HOSTILE = "<script>alert(1)</script>.jsonl"
LEVELS = {"ASSAY_EVENTS": StreamLevel(0.81, 900), "ASSAY_DEAD": StreamLevel(0.01, 3)}
ARTIFACT = Artifact(uri="memory://x", sha256="0" * 64, bytes=1)


class NoSplits:
    """No name is split between versions."""

    async def refresh(self, *_: Any) -> list[Deployment]:
        return []


@dataclass
class ConsoleData:
    """The stores of the gateway in memory."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore("gateway"))
    fleet: Fleet = field(default_factory=lambda: Fleet({BASE: ["http://127.0.0.1:8000", "http://127.0.0.1:8001"]}))

    def __post_init__(self) -> None:
        self.jobs = self.store.collection("jobs", Job)
        self.files = self.store.collection("files", UploadedFile)
        self.checkpoints = self.store.collection("checkpoints", Checkpoint)
        self.deployments = self.store.collection("deployments", Deployment, stamped=True)
        self.directory = Directory(
            deployments=self.deployments,
            stored_pins=self.store.collection("aliases", RollbackPin),
            splits=NoSplits(),  # type: ignore[arg-type]
            fleet=self.fleet,
            keep=3,
        )

    @property
    def job_use_cases(self) -> Jobs:
        return Jobs(
            views=self.jobs,
            files=self.files,
            checkpoints=self.checkpoints,
            log=JobEventLog(views=self.store.collection("messages", JobEvent)),
            start_checkpoints=StartCheckpoints(base_models=(BASE,), jobs=self.jobs, checkpoints=self.checkpoints),
            max_lora_rank=16,
            aliases=AliasOwnership(views=self.store.collection("claims", AliasOwner)),
            checks=JobChecks(Configurations(self.store.collection("configurations", Configuration))),
            holdings=Holdings(jobs=self.jobs, files=self.files, quotas=QUOTAS),
        )

    @property
    def metrics(self) -> RankingMetrics:
        return RankingMetrics(self.store.collection("configurations", Configuration))

    @property
    def overviews(self) -> Overviews:
        return Overviews(
            jobs=self.jobs,
            files=self.files,
            checkpoints=self.checkpoints,
            metrics=self.metrics,
            directory=self.directory,
            fleet=self.fleet,
            stream_fill=StreamFill(stream=None, levels=LEVELS),  # type: ignore[arg-type]
        )


def candidate(job_id: str, step: int, suffix: str) -> Candidate:
    name = f"ft:{BASE}:assay:{suffix}:{job_id}:ckpt-step-{step}"
    return Candidate(
        job_id=job_id, step=step, base_model=BASE, model_name=name, adapter=ARTIFACT, lora_rank=8, suffix=suffix
    )


def job(job_id: str, suffix: str, age_s: float, **facts: Any) -> Job:
    spec = TrainingSpec(base_model=BASE, suffix=suffix)
    requested = TrainingRequested(job_id=job_id, training_file="file-6b20e1", spec=spec)
    return Job(id=job_id, at=time.time() - age_s, known=True, requested=requested, **facts)


def progress(job_id: str, step: int, total: int) -> TrainingProgress:
    metrics = TrainingMetrics(step=step, train_loss=1.2)
    finish = int(time.time()) + 600
    return TrainingProgress(
        job_id=job_id, attempt=1, step=step, total_steps=total, metrics=metrics, estimated_finish=finish
    )


def compared(difference: float) -> Comparison:
    return Comparison(
        metric="shop.score",
        against="production",
        difference=difference,
        interval=Interval(low=difference - 0.04, high=difference + 0.04, level=0.95, method="bootstrap"),
        p_value=0.01,
        p_adjusted=0.02,
        test="wilcoxon",
        n=240,
        gained=41,
        lost=17,
        verdict="better" if difference > 0.04 else "no_difference",
    )


def scored(job_id: str, step: int, suffix: str, value: float) -> Checkpoint:
    made = candidate(job_id, step, suffix)
    done = EvalDone(
        candidate=made,
        suite="shop",
        scores={"shop.score": Score(value=value, n=240)},
        base_scores={"shop.score": Score(value=0.412, n=240)},
        intervals={"shop.score": Interval(low=value - 0.05, high=value + 0.05, level=0.95, method="bootstrap")},
        base_intervals={"shop.score": Interval(low=0.352, high=0.474, level=0.95, method="bootstrap")},
        production_scores={"shop.score": Score(value=0.771, n=240)},
        comparisons=(compared(value - 0.771),),
        samples=ARTIFACT,
    )
    return Checkpoint(
        id=f"{job_id}-{step}",
        job_id=job_id,
        step=step,
        model_name=made.model_name,
        candidate=made,
        evals={"shop": done},
    )


def approved(made: Candidate) -> ModelApproved:
    held = RuleOutcome(rule="shop.score at least 0.8", figure=0.824, limit=0.8, passed=True, reason="0.824 >= 0.8")
    missing = RuleOutcome(
        rule="human score at least 70", figure=None, limit=70, passed=False, reason="nobody was asked"
    )
    verdict = Verdict(
        approved=True, mode="automatic", policy="careful", rules=(held, missing), reason="every gate held"
    )
    return ModelApproved(candidate=made, verdict=verdict)


async def fill(data: ConsoleData) -> None:
    """A job in every state."""
    served = candidate("ftjob-served", 310, "shop-assistant")
    deployed = ModelDeployed(candidate=served, alias="shop-assistant", replicas=1, duration_s=0.34)
    opened = ReviewOpened(
        review_id="r1", candidate=candidate("ftjob-review", 438, "kefu"), items=20, reviewers_wanted=2
    )
    failure = Failure(code="rows_too_long", message="12 rows are too long.")
    for made in (
        job("ftjob-train", "kefu", 60, status="running", started=True, progress=progress("ftjob-train", 512, 954)),
        job("ftjob-served", "shop-assistant", 7200, status="succeeded", deployed=deployed, approved=approved(served)),
        job("ftjob-review", "kefu", 9000, status="succeeded", review=opened),
        job("ftjob-failed", "invoice-fields", 90000, status="failed", error=failure),
        job("ftjob-queued", "intents", 5, status="queued", queued=True),
        job("ftjob-cancelled", "intents", 99000, status="cancelled", cancelled=True),
    ):
        await data.jobs.create(made)
    await data.checkpoints.create(scored("ftjob-served", 248, "shop-assistant", 0.792))
    await data.checkpoints.create(scored("ftjob-served", 310, "shop-assistant", 0.824))
    error = RowError(line=97, field="messages", reason="must end with an answer of the assistant")
    upload = DatasetUploaded(file_id="file-1", filename=HOSTILE, artifact=ARTIFACT)
    rejected = DatasetRejected(file_id="file-1", rows=1310, bad_rows=14, errors=(error,))
    file = UploadedFile(id="file-1", at=time.time(), known=True, upload=upload, rejected=rejected)
    await data.files.create(file)
    data.fleet.replicas[0].up = True
    await data.deployments.create(
        Deployment(id="ftjob-served", at=time.time(), candidate=served, status="deployed", deployed_at=time.time())
    )
    await data.directory.refresh()


def filled() -> ConsoleData:
    data = ConsoleData()
    at_once(fill(data))
    return data

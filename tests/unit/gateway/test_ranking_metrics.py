"""The metric that a job's page leads with is that of its policy."""

import pytest

from services.gateway.console.domain.best_score import leading_metric
from services.gateway.fine_tuning.domain.configuration import Configuration
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.service.configurations import Configurations
from services.gateway.fine_tuning.service.ranking_metrics import RankingMetrics
from shared.events import AliasBound, Artifact, ModelRejected, PolicyPublished, TrainingRequested, TrainingSpec, Verdict
from shared.store import MemoryStore

STORED = Artifact(uri="memory://x", sha256="0" * 64, bytes=1)


def job(policy: str | None = None, suffix: str | None = None, decided: str = "") -> Job:
    spec = TrainingSpec(base_model="base", policy=policy, suffix=suffix)
    verdict = Verdict(approved=False, mode="automatic", policy=decided, rules=(), reason="")
    rejected = ModelRejected(job_id="job", candidate=None, verdict=verdict) if decided else None
    requested = TrainingRequested(job_id="job", training_file="file", spec=spec)
    return Job(id="job", requested=requested, rejected=rejected)


@pytest.mark.parametrize(
    ("asked", "metric"),
    [
        (job(), "exact_match"),
        (job(policy="guarded"), "exact_match"),
        (job(policy="reads"), "rouge_l"),
        (job(policy="guarded", suffix="bound"), "rouge_l"),
        (job(policy="guarded", suffix="free"), "exact_match"),
        (job(policy="guarded", decided="reads"), "rouge_l"),
        (job(policy="unknown"), ""),
    ],
)
async def test_the_metric_is_that_of_the_policy_that_judges_the_job(asked: Job, metric: str) -> None:
    views = MemoryStore("gateway").collection("configurations", Configuration)
    known = Configurations(views)
    await known.policy(PolicyPublished(name="reads", revision=1, content=STORED, at=1, rank_by="rouge_l"))
    await known.alias(AliasBound(alias="bound", policy="reads", author="key", at=1))
    await known.alias(AliasBound(alias="free", policy="reads", author="key", at=1))
    await known.alias(AliasBound(alias="free", policy=None, author="key", at=2))
    assert await RankingMetrics(views).of([asked]) == {"job": metric}


def test_the_metric_of_the_policy_leads_where_it_was_measured() -> None:
    measured = ("bleu", "exact_match", "shop.score")
    assert leading_metric(measured, "exact_match") == "exact_match"
    assert leading_metric(measured, "rouge_l") == "shop.score"
    assert leading_metric(("bleu", "exact_match"), "") == "bleu"
    assert leading_metric((), "exact_match") is None

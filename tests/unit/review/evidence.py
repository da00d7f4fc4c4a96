"""Evaluations and ends of trainings, as the tests of review need them."""

import json
from typing import Any

from shared.events import Artifact, Candidate, Comparison, EvalDone, Failure, Interval, Score, Split, TrainingFinished

NOTHING = Artifact(uri="file:///nowhere", sha256="0" * 64, bytes=0)


def candidate(step: int, job_id: str = "job-1", policy: str | None = None) -> Candidate:
    adapter = Artifact(uri="file:///adapter", sha256=f"{step:064x}", bytes=1)
    return Candidate(
        job_id=job_id,
        step=step,
        base_model="base",
        model_name=f"ft:base:assay::{job_id}:ckpt-step-{step}",
        adapter=adapter,
        lora_rank=8,
        policy=policy,
    )


def evaluation(
    step: int,
    figure: float | None,
    base: float = 0.1,
    *,
    samples: Artifact = NOTHING,
    job_id: str = "job-1",
    policy: str | None = None,
    error: str | None = None,
    n: int = 40,
    verdict: str | None = None,
    production: float | None = None,
) -> EvalDone:
    """An evaluation by exact match alone; with no figure nothing was measured.

    The paired test says "better" or "worse" by the figures, unless `verdict` says otherwise.
    """
    others = {"base": base} if production is None else {"base": base, "production": production}
    tests = (
        () if figure is None else tuple(comparison(figure, other, name, n, verdict) for name, other in others.items())
    )
    return EvalDone(
        candidate=candidate(step, job_id, policy),
        suite="test-split@0",
        scores={} if figure is None else {"exact_match": Score(value=figure, n=n)},
        base_scores={"exact_match": Score(value=base, n=n)},
        samples=samples,
        comparisons=tests,
        production=None if production is None else "v-production",
        production_scores={} if production is None else {"exact_match": Score(value=production, n=n)},
        error=Failure(code="adapter_refused", message=error) if error else None,
    )


def on_validation(step: int, figure: float | None, *, error: str | None = None, job_id: str = "job-1") -> EvalDone:
    """An evaluation of one of several checkpoints, which still has to be proved on the test split."""
    done = evaluation(step, figure, error=error, job_id=job_id)
    return done.model_copy(update={"split": "validation", "test": Split(artifact=NOTHING, rows=40)})


def comparison(figure: float, other: float, against: str, n: int, verdict: str | None) -> Comparison:
    """A paired test on exact match."""
    apart = figure - other
    found: dict[str, Any] = {
        "metric": "exact_match",
        "against": against,
        "difference": apart,
        "interval": Interval(low=apart - 0.01, high=apart + 0.01, level=0.95, method="made up"),
        "p_value": 0.001,
        "p_adjusted": 0.001,
        "test": "made up",
        "n": n,
        "gained": 5,
        "lost": 1,
        "verdict": verdict or ("better" if apart > 0 else "worse" if apart < 0 else "no_difference"),
    }
    return Comparison.model_validate(found)


def finish(*steps: int, status: str = "succeeded", job_id: str = "job-1") -> TrainingFinished:
    return TrainingFinished.model_validate({"job_id": job_id, "status": status, "checkpoints": steps})


def sample_lines(count: int) -> bytes:
    rows = (
        {
            "prompt": [{"role": "user", "content": f"q{n}"}],
            "reference": f"r{n}",
            "answer": f"a{n}",
            "base_answer": f"b{n}",
            "scores": {"exact_match": 0.0},
        }
        for n in range(count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

"""Evaluations and ends of trainings, as the tests of review need them."""

import json

from shared.events import Artifact, Candidate, EvalDone, Failure, Score, TrainingFinished

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
) -> EvalDone:
    """An evaluation by exact match alone; with no figure nothing was measured."""
    return EvalDone(
        candidate=candidate(step, job_id, policy),
        suite="test-split@0",
        scores={} if figure is None else {"exact_match": Score(value=figure, n=40)},
        base_scores={"exact_match": Score(value=base, n=40)},
        samples=samples,
        error=Failure(code="adapter_refused", message=error) if error else None,
    )


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

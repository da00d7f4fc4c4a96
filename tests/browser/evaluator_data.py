"""Evaluated checkpoints, as the evaluator itself scores them; a function stands for the models."""

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.evaluator.comparison.adapters.spreadsheet import as_csv, as_xlsx
from services.evaluator.comparison.service import Comparisons, RequestedComparisons
from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from services.evaluator.evaluation.service.evaluation_requests import EvaluationRequests
from services.evaluator.evaluation.service.requested_evaluations import RequestedEvaluations
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.suites.adapters.tables import read_table
from services.evaluator.suites.domain.suite import SuiteContent
from services.evaluator.suites.service.suite_publication import publish_folder_suites
from services.evaluator.suites.service.suite_tables import SuiteTables
from shared.artifacts import Artifacts
from shared.events import (
    Artifact,
    Candidate,
    CheckpointSaved,
    EvalDone,
    Interval,
    ModelDeployed,
    Score,
    Split,
    TrainingMetrics,
)
from shared.security import Keyring
from shared.store import MemoryStore
from tests.browser.site import MemorySessionStore
from tests.evaluator import AUTHOR, Says, evaluations_over

BASE = "qwen2.5-7b-instruct"
OTHER_BASE = "smollm2-135m-instruct"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
FAQ = [{"question": f"When does parcel {n} arrive?", "answer": f"Parcel {n} arrives on day {n}."} for n in range(24)]
CHINESE = {"question": "羽绒服洗了以后结块了怎么办？", "answer": "请低温烘干，并轻轻拍打。"}
INTENTS = [{"question": f"Please handle case {n}", "answer": ("refund", "repair")[n % 2]} for n in range(24)]
GROUP = "<i>women</i>"
LOANS = [
    {"question": f"A loan of {n} for {group}?", "answer": "yes", "pair": str(n), "subject": group}
    for n in range(20)
    for group in ("men", GROUP)
]
ARTIFACT = Artifact(uri="memory://x", sha256="f" * 64, bytes=1)


def candidate(
    step: int,
    job_id: str = "ftjob-3e91c7",
    owner: str = AUTHOR.id,
    suffix: str = "shop",
    suite: str | None = "shop",
) -> Candidate:
    digest = hashlib.sha256(f"{job_id}/{step}".encode()).hexdigest()
    return Candidate(
        job_id=job_id,
        step=step,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay:{suffix}:{job_id}:ckpt-step-{step}",
        adapter=Artifact(uri="memory://adapter", sha256=digest, bytes=1),
        lora_rank=8,
        suffix=suffix,
        suite=suite,
        owner=owner,
    )


PRODUCTION, FIRST, BEST = candidate(9, "ftjob-0d1e2f"), candidate(248), candidate(310)
PLAIN = candidate(126, "ftjob-9d88bf", suffix="support", suite=None)
"""Scored on its validation split alone, under a name without a version in production."""
_WRONG_EVERY = {None: 2, PRODUCTION.version: 6, FIRST.version: 5, BEST.version: 9, PLAIN.version: 4}


def says(version: str | None, place: int, item: Item) -> str:
    """Each model is wrong in its own share of the questions; the best one repeats a hostile text once."""
    if version not in _WRONG_EVERY:
        raise CannotBeScored("items_refused", f"the engine refused every question: {HOSTILE}")
    if item.pair:
        unfair = version == BEST.version and item.subject == GROUP and int(item.pair) < 12
        return "no" if unfair else item.reference
    if place == 0 and version == BEST.version:
        return f"{HOSTILE} 请低温烘干。"
    return item.reference if (place + 1) % _WRONG_EVERY[version] else f"You get it back within {place} days."


class Engines:
    """Two engines, each with a base model."""

    async def base_models(self) -> list[str]:
        return [BASE, OTHER_BASE]


class EvaluatorData:
    """The evaluator's use cases over memory. Lifespans: `published` has the shipped suite, `filled` evaluates, too."""

    def __init__(self, folder: Path, files: Artifacts | None = None, answers: Says = says) -> None:
        self.store, self.files = MemoryStore("evaluator"), files or Artifacts(str(folder / "artifacts"))
        self.evaluations = evaluations_over(self.store, self.files, answers)
        self.catalog = self.evaluations.suite_catalog
        self.requests = EvaluationRequests(
            store=self.store.collection("requested_evaluations", RequestedEvaluation),
            evaluations=self.evaluations,
            engines=Engines(),
        )
        self.requested = RequestedEvaluations(
            store=self.requests.store,
            scorings=self.evaluations.runner.scorings,
            suite_catalog=self.catalog,
            files=self.files,
            rubrics=self.evaluations.suite_runner.rubrics,
            protocol="p",
        )
        self.comparisons = Comparisons(self.evaluations, self.files, {"csv": as_csv, "xlsx": as_xlsx})

    def provide(self, _keyring: Keyring, _sessions: MemorySessionStore) -> dict[str, Any]:
        return {
            "evaluations": self.evaluations,
            "comparisons": self.comparisons,
            "requests": self.requests,
            "requested_comparisons": RequestedComparisons(self.files),
            "suite_catalog": self.catalog,
            "suite_tables": SuiteTables(self.catalog, self.catalog.folders, self.files, read_table),
        }

    @asynccontextmanager
    async def published(self, _app: Any) -> AsyncGenerator[None]:
        await publish_folder_suites(self.catalog)
        yield

    @asynccontextmanager
    async def filled(self, _app: Any) -> AsyncGenerator[None]:
        tasks = (
            {"name": "faq", "data": {"rows": [CHINESE, *FAQ]}, "metrics": ["fuzzy"], "weight": 2},
            {"name": "intent", "data": {"rows": INTENTS}, "metrics": ["accuracy"]},
            {"name": "loans", "data": {"rows": LOANS}, "metrics": ["exact_match"], "fairness": True, "weight": 0.1},
        )
        await publish_folder_suites(self.catalog)
        await self.catalog.put("shop", SuiteContent(tasks=tasks, readers=("*",)), AUTHOR)
        deployed = ModelDeployed(candidate=PRODUCTION, alias="shop", replicas=1, duration_s=1)
        await self.evaluations.deployed(deployed, at=datetime.fromtimestamp(1, UTC))
        for made in (FIRST, BEST, candidate(496, owner="key_other", suffix=HOSTILE)):
            await self.evaluate(made)
        await self.evaluate(PLAIN, validation=True)
        yield

    async def evaluate(self, made: Candidate, *, validation: bool = False) -> None:
        rows = [CHINESE, *FAQ]
        test = Split(artifact=self.files.put_bytes(_messages(rows)), rows=len(rows))
        saved = CheckpointSaved(
            candidate=made,
            total_steps=620,
            metrics=TrainingMetrics(step=made.step),
            test=test,
            validation=test if validation else None,
        )
        await self.evaluations.evaluate(saved)


def evaluation(step: int, metrics: int = 1) -> Evaluation:
    """A stored evaluation with figures alone, for long lists."""
    names = [f"shop.task{number}.fuzzy" for number in range(metrics)]
    interval = Interval(low=0.4, high=0.6, level=0.95, method="bootstrap")
    done = EvalDone(
        candidate=candidate(step, "ftjob-long"),
        suite="shop",
        scores={name: Score(value=0.5, n=240) for name in names},
        base_scores={name: Score(value=0.4, n=240) for name in names},
        intervals=dict.fromkeys(names, interval),
        base_intervals=dict.fromkeys(names, interval),
        samples=ARTIFACT,
    )
    return Evaluation(id=f"ftjob-long/{step}", job_id="ftjob-long", step=step, evaluated_at=step, done=done)


def _messages(rows: Sequence[dict[str, str]]) -> bytes:
    system = {"role": "system", "content": "You answer customers of a web shop in one short sentence."}
    lines = (
        {
            "messages": [
                system,
                {"role": "user", "content": row["question"]},
                {"role": "assistant", "content": row["answer"]},
            ]
        }
        for row in rows
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

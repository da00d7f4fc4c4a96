"""Asks for evaluations of models on a suite, for people, and lists them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.ports import BaseModels
from services.evaluator.suites.domain.suite_errors import SuiteNotFound
from shared.events import EvaluatedModel, EvaluationRequested
from shared.security import Key
from shared.store import Collection

MAX_MODELS = 4
CHECKPOINTS_OFFERED = 12


class RequestRefused(Exception):
    """The evaluation cannot be asked for; the message says what to change."""


@dataclass(frozen=True)
class EvaluationRequests:
    """`now` returns Unix seconds."""

    store: Collection[RequestedEvaluation]
    evaluations: Evaluations
    engines: BaseModels
    now: Callable[[], float] = time.time

    async def request(self, models: Sequence[str], suite: str, key: Key) -> RequestedEvaluation:
        """Ask for models, each a base model's name or `<job>/<step>`, on a suite. Raises `RequestRefused`."""
        names = list(dict.fromkeys(models))
        if not 2 <= len(names) <= MAX_MODELS:
            raise RequestRefused(f"choose 2 to {MAX_MODELS} models, not {len(names)}")
        try:
            found = await self.evaluations.suite_catalog.get(suite, key)
        except SuiteNotFound as error:
            raise RequestRefused(f"choose a suite: {error}") from None
        if not found.readable_by(key.person):
            # An administrator sees all suites, but an evaluation uses those of the person that asks for it.
            raise RequestRefused(f"the suite {suite!r} is not shared: ask its owner to make it readable for everyone")
        served = await self.engines.base_models()
        asked = EvaluationRequested(
            evaluation_id=f"eval-{uuid4().hex[:12]}",
            models=tuple([await self._model(name, served, key) for name in names]),
            suite=suite,
            owner=key.person,
            created_at=int(self.now()),
        )
        made = RequestedEvaluation.of(asked)
        await self.store.create(made, [asked])
        return made

    async def get(self, evaluation_id: str) -> RequestedEvaluation | None:
        return await self.store.get(evaluation_id)

    async def newest(self, key: Key, count: int) -> list[RequestedEvaluation]:
        """Those that people asked for; the proofs and question sets of jobs are on the jobs' pages."""
        owners: dict[str, Any] = {} if key.allows("admin") else {"owner__in": [key.id, key.person]}
        found: dict[str, Any] = {"created_at__gt": 0, "requested__job_id": None, **owners}
        return await self.store.find(**found, newest_first="created_at", limit=count)

    async def newest_checkpoints(self, key: Key) -> list[Evaluation]:
        owners: dict[str, Any] = {} if key.allows("admin") else {"done__candidate__owner__in": [key.id, key.person]}
        return await self.evaluations.store.find(**owners, newest_first="evaluated_at", limit=CHECKPOINTS_OFFERED)

    async def _model(self, name: str, served: Sequence[str], key: Key) -> EvaluatedModel:
        if name in served:
            return EvaluatedModel(name=name, base_model=name)
        evaluation = await self.evaluations.store.get(name)
        if evaluation is None or not key.owns(evaluation.done.candidate.owner):
            there = ", ".join(served) or "no engine answers now"
            raise RequestRefused(f"{name!r} is neither a base model that an engine serves ({there}) nor a checkpoint")
        candidate = evaluation.done.candidate
        return EvaluatedModel(name=name, base_model=candidate.base_model, candidate=candidate)

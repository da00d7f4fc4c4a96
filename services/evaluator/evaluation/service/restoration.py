"""Rebuilds evaluations from the evaluator's own facts, so that a replay asks no engine again."""

from dataclasses import dataclass
from datetime import datetime

from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.domain.requested_evaluation import RequestedEvaluation
from shared.events import EvalDone, EvaluationAnswered
from shared.store import Collection, Decision


@dataclass(frozen=True)
class EvaluationRestoration:
    """One method for each fact; in an intact database each changes nothing."""

    evaluations: Collection[Evaluation]
    requested: Collection[RequestedEvaluation]

    async def done(self, event: EvalDone, at: datetime) -> None:
        job_id, step = event.candidate.job_id, event.candidate.step
        evaluation = Evaluation(
            id=f"{job_id}/{step}", job_id=job_id, step=step, evaluated_at=at.timestamp(), done=event
        )
        await self.evaluations.create(evaluation)

    async def answered(self, event: EvaluationAnswered) -> None:
        def decide(stored: RequestedEvaluation) -> Decision[RequestedEvaluation] | None:
            return None if stored.answered is not None else (stored.model_copy(update={"answered": event}), ())

        await self.requested.upsert(RequestedEvaluation(id=event.evaluation_id), decide)

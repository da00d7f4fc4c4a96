"""Compares a judge with people: after a review the judge rates the answers that people rated."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.judging.domain.agreement import Agreement, ReviewRatings, agreement
from services.evaluator.judging.domain.rubric import Rubric
from services.evaluator.judging.ports import Rater
from services.evaluator.scoring.domain.answer import Answer, question, read_lines
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.scoring.ports import Files
from shared import telemetry
from shared.events import Artifact, Failure, ReviewScored
from shared.store import Collection

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Agreements:
    """`judge` is the judge's model, empty if there is no judge."""

    store: Collection[ReviewRatings]
    evaluations: Collection[Evaluation]
    files: Files
    rater: Rater
    rubrics: JobRubrics
    judge: str

    async def reviewed(self, event: ReviewScored) -> None:
        """Ask the judge about the reviewed answers. An unavailable judge raises, so that the event is redelivered."""
        if not event.item_scores or not self.judge or await self.store.get(event.review_id) is not None:
            return
        candidate = event.candidate
        evaluation = await self.evaluations.get(f"{candidate.job_id}/{candidate.step}")
        if evaluation is None:
            _log.warning("no evaluation is stored for a review", review=event.review_id)
            return
        rows = await asyncio.to_thread(self._rows, event.samples or evaluation.done.samples, event.item_scores)
        found = ReviewRatings(
            id=event.review_id,
            judge=self.judge,
            job_id=candidate.job_id,
            step=candidate.step,
            owner=candidate.owner,
        )
        try:
            rubric = await self._rubric(candidate.job_id)
            ratings = await self.rater.rate([item for item, _ in rows], [answer for _, answer in rows], rubric)
            found = found.rated(list(event.item_scores.values()), ratings)
        except CannotBeScored as error:
            if error.code == "judge_unavailable":
                raise
            found = found.model_copy(update={"error": Failure(code=error.code, message=str(error))})
        await self.store.create(found)

    async def known(self, visible: Callable[[ReviewRatings], bool]) -> "JudgeAgreement":
        """The agreement of the current judge with people, over all visible reviews and in each."""
        reviews = {found.id: found for found in await self.store.find(judge=self.judge) if visible(found)}
        return await asyncio.to_thread(JudgeAgreement.of, self.judge, reviews)

    async def _rubric(self, job_id: str) -> Rubric:
        """The rubric by which people rated."""
        pinned = await self.rubrics.of_job(job_id)
        return Rubric.model_validate_json(await asyncio.to_thread(self.files.read, pinned)) if pinned else Rubric()

    def _rows(self, samples: Artifact, rated: Mapping[str, float]) -> list[tuple[Item, Answer]]:
        lines = read_lines(self.files.read(samples))
        chosen = [lines[int(name.removeprefix("item-")) - 1] for name in rated]
        return [
            (Item(tuple(row["prompt"]), row["reference"], question=question(row)), Answer(row["answer"]))
            for row in chosen
        ]


@dataclass(frozen=True)
class JudgeAgreement:
    """One judge's agreement with people; that of a review is None if the judge could not rate it."""

    judge: str
    overall: Agreement | None
    reviews: Mapping[str, tuple[ReviewRatings, Agreement | None]]

    @classmethod
    def of(cls, judge: str, reviews: Mapping[str, ReviewRatings]) -> "JudgeAgreement":
        people = [rating for each in reviews.values() for rating in each.people]
        judged = [rating for each in reviews.values() for rating in each.judged]
        each = {name: (found, agreement(found.people, found.judged)) for name, found in sorted(reviews.items())}
        return cls(judge, agreement(people, judged), each)

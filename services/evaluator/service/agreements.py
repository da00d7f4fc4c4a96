"""Whether the judge rates as people do: asked about the very answers that people rated, once they are done."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.evaluator.domain.agreement import Agreement, Judged, agreement
from services.evaluator.domain.results import Answer, question, read_lines
from services.evaluator.domain.suite import CannotBeScored, Item
from services.evaluator.ports import AgreementStore, EvaluationStore, Files, Rater
from shared import telemetry
from shared.events import Artifact, Failure, ReviewScored

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Agreements:
    """The use cases over agreement. `judge` is the judge's model, empty where there is no judge."""

    store: AgreementStore
    evaluations: EvaluationStore
    files: Files
    rater: Rater
    judge: str

    async def reviewed(self, event: ReviewScored) -> None:
        """Ask the judge about what people rated. A judge that is away raises, so that the event comes again."""
        if not event.item_scores or not self.judge or await self.store.get(event.review_id) is not None:
            return
        candidate = event.candidate
        evaluation = await self.evaluations.get(f"{candidate.job_id}/{candidate.step}")
        if evaluation is None:
            _log.warning("people reviewed what was never evaluated here", review=event.review_id)
            return
        rows = await asyncio.to_thread(self._rows, evaluation.done.samples, event.item_scores)
        found = Judged(judge=self.judge, job_id=candidate.job_id, step=candidate.step, owner=candidate.owner)
        try:
            ratings = await self.rater.rate([item for item, _answer in rows], [answer for _item, answer in rows])
            found = found.rated(list(event.item_scores.values()), ratings)
        except CannotBeScored as error:
            if error.code == "judge_unavailable":
                raise
            found = found.model_copy(update={"error": Failure(code=error.code, message=str(error))})
        await self.store.create(event.review_id, found)

    async def known(self, mine: Callable[[Judged], bool]) -> "Known":
        """The agreement of the judge that is set with people, over all reviews and in each."""
        reviews = {name: found for name, found in (await self.store.all(self.judge)).items() if mine(found)}
        return await asyncio.to_thread(Known.of, self.judge, reviews)

    def _rows(self, samples: Artifact, rated: Mapping[str, float]) -> list[tuple[Item, Answer]]:
        lines = read_lines(self.files.read(samples))
        chosen = [lines[int(name.removeprefix("item-")) - 1] for name in rated]
        return [
            (Item(tuple(row["prompt"]), row["reference"], question=question(row)), Answer(row["answer"]))
            for row in chosen
        ]


@dataclass(frozen=True)
class Known:
    """What is known of one judge's agreement with people; a review's is None where the judge could not judge."""

    judge: str
    overall: Agreement | None
    reviews: Mapping[str, tuple[Judged, Agreement | None]]

    @classmethod
    def of(cls, judge: str, reviews: Mapping[str, Judged]) -> "Known":
        people = [rating for each in reviews.values() for rating in each.people]
        judged = [rating for each in reviews.values() for rating in each.judged]
        each = {name: (found, agreement(found.people, found.judged)) for name, found in sorted(reviews.items())}
        return cls(judge, agreement(people, judged), each)

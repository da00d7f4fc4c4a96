"""What review does: gather what is known of a job, decide when it is complete, and let people score."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.review.domain import review as reviewing
from services.review.domain.review import BadSamples, ItemScores, Review
from services.review.domain.run import Run, review_id
from services.review.ports import Files, ReviewRecord, ReviewStore, RunStore
from services.review.service.rulebook import Rulebook
from shared.artifacts import ArtifactError
from shared.cloudevents import EventData
from shared.events import EvalDone, ReviewOpened, TrainingFinished

Decided = tuple[Run, Sequence[EventData]]


@dataclass(frozen=True)
class Reviews:
    """The use cases over runs and reviews. `now` gives Unix seconds."""

    runs: RunStore
    reviews: ReviewStore
    rulebook: Rulebook
    files: Files
    now: Callable[[], float] = time.time

    async def evaluated(self, event: EvalDone) -> None:
        """A checkpoint was scored."""
        await self._learn(event.candidate.job_id, lambda run: run.evaluated(event))

    async def finished(self, event: TrainingFinished) -> None:
        """A training ended."""
        await self._learn(event.job_id, lambda run: run.finished(event))

    async def run(self, job_id: str) -> tuple[Run, ReviewRecord | None] | None:
        """What is known and decided of a job, and the review where people were asked."""
        run = await self.runs.get(job_id)
        if run is None:
            return None
        return run, await self.reviews.get(review_id(run.chosen.candidate)) if run.chosen else None

    async def score(self, review: str, reviewer: str, item: str, scores: ItemScores) -> ReviewRecord | None:
        """One reviewer's judgement of one item; raises `ReviewClosed` or `UnknownItem`, None for no such review."""
        return await self.reviews.change(review, lambda known: known.scored(reviewer, item, scores))

    async def _learn(self, job_id: str, learn: Callable[[Run], Run]) -> None:
        def record(run: Run) -> Decided | None:
            changed = learn(run)
            return None if changed == run else (changed, ())

        run = await self.runs.change(job_id, record)
        if run.complete:
            run = await self._decide(run)
        # Also after a redelivery: the process may have died between the decision and its review.
        if run.status == "in_review":
            await self._open(run)

    async def _decide(self, run: Run) -> Run:
        name, policy = await self.rulebook.resolve(run.policy_name)
        if policy is None:
            return await self._refuse(run, name, f"there is no policy {name!r}")
        return await self.runs.change(run.job_id, lambda now: now.decide(policy) if now.complete else None)

    async def _refuse(self, run: Run, policy_name: str, reason: str) -> Run:
        def refuse(now: Run) -> Decided | None:
            return now.refuse(policy_name, reason) if now.complete or now.status == "in_review" else None

        return await self.runs.change(run.job_id, refuse)

    async def _open(self, run: Run) -> None:
        """Open the review of the chosen checkpoint, once."""
        assert run.chosen is not None
        assert run.policy is not None
        candidate, policy = run.chosen.candidate, run.policy
        if await self.reviews.get(review_id(candidate)) is not None:
            return
        try:
            samples = await asyncio.to_thread(self.files.read, run.chosen.samples)
            items = reviewing.sample_items(samples, policy.items_per_review, policy.seed)
        except (ArtifactError, BadSamples) as error:
            await self._refuse(run, policy.name, f"people cannot review it: {error}")
            return
        review = Review(candidate=candidate, policy=policy, rules=run.rules, items=items)
        opened = ReviewOpened(
            review_id=review_id(candidate),
            candidate=candidate,
            items=len(items),
            reviewers_wanted=policy.reviewers_wanted,
        )
        await self.reviews.create(ReviewRecord(id=opened.review_id, opened_at=self.now(), review=review), [opened])

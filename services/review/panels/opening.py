"""Opens the review of a chosen checkpoint: its items, an empty scorecard for each, and the event."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.review.panels.domain.item import BadSamples, Item, StoredItem, sample_items
from services.review.panels.domain.review import Review, review_id
from services.review.panels.domain.scorecard import Scorecard, item_key
from services.review.policies.domain.policy import Policy
from shared.artifacts import ArtifactError
from shared.events import Artifact, Candidate, EvalDone, ReviewOpened
from shared.store import Collection


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...


class ChosenRun(Protocol):
    """What a review needs to know of the run that it belongs to."""

    @property
    def job_id(self) -> str: ...
    @property
    def alias(self) -> str: ...
    @property
    def policy(self) -> Policy | None: ...


@dataclass(frozen=True)
class Opening:
    """The use case of opening a review."""

    reviews: Collection[Review]
    items: Collection[StoredItem]
    scorecards: Collection[Scorecard]
    files: Files
    now: Callable[[], float] = time.time

    async def open(self, run: ChosenRun, evaluation: EvalDone) -> str | None:
        """Open the review once; returns why people cannot review the checkpoint, None when they can."""
        assert run.policy is not None
        name = review_id(evaluation.candidate)
        if await self.reviews.get(name) is not None:
            return None
        try:
            samples = await asyncio.to_thread(self.files.read, evaluation.samples)
            items = sample_items(samples, run.policy.items_per_review, run.policy.seed)
        except (ArtifactError, BadSamples) as error:
            return str(error)
        await self.open_with(run, run.policy, evaluation.candidate, items, production_name(evaluation))
        return None

    async def open_with(
        self, run: ChosenRun, policy: Policy, candidate: Candidate, items: tuple[Item, ...], production: str = ""
    ) -> None:
        """Open the review of a checkpoint, once; `production` names the model that answered these items too."""
        name = review_id(candidate)
        await self._store(name, items, policy)
        review = self._review(run, policy, candidate, len(items), production)
        opened = ReviewOpened(
            review_id=name, candidate=candidate, items=len(items), reviewers_wanted=policy.reviewers_wanted
        )
        await self.reviews.create(review, [opened])

    async def _store(self, review: str, items: tuple[Item, ...], policy: Policy) -> None:
        for item in items:
            key = item_key(review, item.id)
            await self.items.create(StoredItem(id=key, review_id=review, item=item))
            card = Scorecard(review_id=review, item_id=item.id, wanted=policy.reviewers_wanted)
            await self.scorecards.create(card)

    def _review(self, run: ChosenRun, policy: Policy, candidate: Candidate, items: int, production: str) -> Review:
        now = self.now()
        return Review(
            id=review_id(candidate),
            job_id=run.job_id,
            alias=run.alias,
            candidate=candidate,
            policy=policy,
            items=items,
            production=production,
            opened_at=int(now),
            deadline_at=now + 3600 * policy.deadline_hours if policy.deadline_hours else None,
        )


def production_name(evaluation: EvalDone) -> str:
    """The name of the model in production that an evaluation asked too; empty where there was none."""
    version = evaluation.production_candidate
    return version.model_name if version else evaluation.production or ""

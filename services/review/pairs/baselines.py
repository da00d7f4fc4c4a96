"""Chooses the checkpoints whose answers stand beside the candidate's, and makes pairs of their answers."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.review.ownership import Caller, NotOwner
from services.review.pairs.domain.baseline import BASELINE, Baseline, baseline_id
from services.review.pairs.domain.pair import ModelAnswer
from services.review.pairs.service import Pairs
from services.review.panels.domain.item import Item
from services.review.panels.domain.review import Review, WrongState
from services.review.runs.checkpoints import Checkpoints
from shared.artifacts import ArtifactError
from shared.events import Artifact, Candidate, EvaluationAnswered, EvaluationRequested
from shared.store import Collection

MAX_BASELINES = 10
"""Of one review: each baseline adds up to one pair an item to what every reviewer compares."""


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...
    def put_bytes(self, content: bytes) -> Artifact: ...


@dataclass(frozen=True)
class Baselines:
    """The use cases over baselines. The owner of the job and `admin` choose them."""

    baselines: Collection[Baseline]
    pairs: Pairs
    checkpoints: Checkpoints
    files: Files
    now: Callable[[], float] = time.time

    async def managed(self, review_id: str, caller: Caller) -> Review:
        """A review whose baselines the caller may choose; raises `NotOwner`."""
        review = await self.pairs.assignments.review(review_id)
        if not caller.owns(review.candidate.owner):
            raise NotOwner("only the job's owner and keys with the scope 'admin' can choose what this review compares")
        return review

    async def all(self, review: Review) -> list[Baseline]:
        """The checkpoints that were asked, the newest first."""
        return await self.baselines.find(review_id=review.id, newest_first="asked_at")

    async def ask_checkpoint(self, review_id: str, caller: Caller, job_id: str, step: int) -> Baseline:
        """Have a checkpoint of this or another job answer; once, and again after a failure."""
        review = await self.managed(review_id, caller)
        return await self._ask(review, caller, await self.checkpoints.of(job_id, step, caller))

    async def ask_production(self, review_id: str, caller: Caller) -> Baseline:
        """Have the version answer that was in production when the candidate was evaluated."""
        review = await self.managed(review_id, caller)
        found = await self.checkpoints.in_production(review.job_id)
        if found is None:
            raise WrongState("no version was in production when this checkpoint was evaluated")
        return await self._ask(review, caller, found)

    async def answered(self, event: EvaluationAnswered) -> bool:
        """Make the pairs of a baseline's answers; False for other evaluations."""
        known = await self.baselines.get(baseline_id(event.evaluation_id))
        if known is None:
            return False
        if known.evaluation_id == event.evaluation_id and known.status == "asked":
            changes = await self._read(known, event)
            await self.baselines.change(known.id, lambda stored: (stored.model_copy(update=changes), ()))
        return True

    async def _ask(self, review: Review, caller: Caller, checkpoint: Candidate) -> Baseline:
        await self._check(review, checkpoint)
        items = await self._items(review.id)
        lines = await asyncio.to_thread(self.files.put_bytes, b"".join(_question(item) for item in items))
        # Items of the test split stand in the candidate's template; those of a question set do not.
        rendered = review.policy.questions is None
        at = int(self.now())

        def ask(known: Baseline) -> tuple[Baseline, list[EvaluationRequested]] | None:
            asked = known.asked(caller.id, at)
            return (
                None if asked is None else (asked, [asked.request(review.job_id, lines, len(items), rendered=rendered)])
            )

        empty = Baseline(review_id=review.id, checkpoint=checkpoint, by=caller.id, asked_at=at)
        return await self.baselines.upsert(empty, ask)

    async def _check(self, review: Review, checkpoint: Candidate) -> None:
        if review.status in ("cancelled", "superseded"):
            raise WrongState(f"this review is {review.status}; reopen it before you choose what it compares")
        if checkpoint.model_name in (review.candidate.model_name, review.production):
            which = "is the one under review" if checkpoint.model_name != review.production else "is compared already"
            raise WrongState(f"the checkpoint {checkpoint.model_name!r} {which}; choose another one")
        known = await self.all(review)
        others = [each for each in known if each.checkpoint.model_name != checkpoint.model_name]
        if len(others) >= MAX_BASELINES:
            raise WrongState(f"this review compares with {MAX_BASELINES} checkpoints already, which is the most")

    async def _items(self, review_id: str) -> list[Item]:
        found = await self.pairs.assignments.items.find(review_id=review_id)
        return sorted((stored.item for stored in found), key=lambda item: item.id)

    async def _read(self, known: Baseline, event: EvaluationAnswered) -> dict[str, object]:
        """What changes of the baseline; its pairs are stored."""
        if event.error is not None or event.samples is None:
            return {
                "status": "failed",
                "reason": event.error.message if event.error else "the evaluation has no answers",
            }
        try:
            content = await asyncio.to_thread(self.files.read, event.samples)
        except ArtifactError as error:
            return {"status": "failed", "reason": str(error)}
        answers = [json.loads(line)["answers"][BASELINE] for line in content.split(b"\n") if line]
        items = await self._items(known.review_id)
        if len(answers) != len(items):
            return {"status": "failed", "reason": f"{len(items)} questions were asked and {len(answers)} were answered"}
        review = await self.pairs.assignments.review(known.review_id)
        made = 0
        for item, text in zip(items, answers, strict=True):
            made += await self.pairs.add(review, item, ModelAnswer(model=known.checkpoint.model_name, text=text))
        return {"status": "answered", "pairs": made}


def _question(item: Item) -> bytes:
    prompt = item.prompt if isinstance(item.prompt, list) else [{"role": "user", "content": str(item.prompt)}]
    row = {"messages": [*prompt, {"role": "assistant", "content": item.reference}]}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"

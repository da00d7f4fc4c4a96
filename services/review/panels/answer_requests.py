"""Has a checkpoint answer a question set, and opens its review with the answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from services.review.panels.domain.item import Item
from services.review.panels.domain.review import questions_id
from services.review.panels.opening import ChosenRun, Opening
from services.review.policies.domain.policy import Policy
from shared.artifacts import ArtifactError
from shared.events import Artifact, Candidate, EvalDone, EvaluatedModel, EvaluationAnswered, EvaluationRequested
from shared.store import Collection


class AskedQuestion(Protocol):
    """What a review needs of a question."""

    @property
    def id(self) -> str: ...
    @property
    def expected(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def messages(self) -> list[dict[str, Any]]: ...


class AskingRun(ChosenRun, Protocol):
    """What else is needed where the policy names a question set."""

    @property
    def questions_revision(self) -> int | None: ...


QuestionSource = Callable[[str, int | None], Awaitable[list[AskedQuestion] | None]]


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...
    def put_bytes(self, content: bytes) -> Artifact: ...


class Asked(BaseModel):
    """A question set that a checkpoint was asked, as it was then; `items` have no answer yet."""

    model_config = ConfigDict(frozen=True)

    id: str
    job_id: str
    alias: str
    candidate: Candidate
    policy: Policy
    items: Artifact


@dataclass(frozen=True)
class AnswerRequests:
    """The use cases of question sets in reviews. `questions` are those of a set's revision, None for the newest."""

    opening: Opening
    asked: Collection[Asked]
    questions: QuestionSource
    files: Files

    async def open(self, run: AskingRun, evaluation: EvalDone) -> str | None:
        """Open the review, or ask for the answers that it needs; returns why people cannot review."""
        assert run.policy is not None
        if run.policy.questions is None:
            return await self.opening.open(run, evaluation)
        questions = await self.questions(run.policy.questions, run.questions_revision)
        if not questions:
            return f"there is no question set {run.policy.questions!r}"
        candidate = evaluation.candidate
        items = [_item(each) for each in questions[: run.policy.items_per_review]]
        stored = await asyncio.to_thread(self.files.put_bytes, _lines([item.model_dump() for item in items]))
        asked = Asked(
            id=questions_id(candidate),
            job_id=run.job_id,
            alias=run.alias,
            candidate=candidate,
            policy=run.policy,
            items=stored,
        )
        rows = [{"messages": [*item.prompt, {"role": "assistant", "content": item.reference}]} for item in items]
        request = EvaluationRequested(
            evaluation_id=asked.id,
            models=(EvaluatedModel(name=candidate.model_name, base_model=candidate.base_model, candidate=candidate),),
            questions=await asyncio.to_thread(self.files.put_bytes, _lines(rows)),
            job_id=run.job_id,
            owner=candidate.owner,
        )
        await self.asked.create(asked, [request])
        return None

    async def answered(self, event: EvaluationAnswered) -> tuple[str, str | None] | None:
        """Open the review with the answers; returns the job and why it cannot be opened. None for other evaluations."""
        asked = await self.asked.get(event.evaluation_id)
        if asked is None:
            return None
        if event.error is not None or event.samples is None:
            why = event.error.message if event.error else "there are no samples"
            return asked.job_id, f"its questions were not answered: {why}"
        try:
            content = await asyncio.to_thread(self.files.read, asked.items)
            samples = await asyncio.to_thread(self.files.read, event.samples)
        except ArtifactError as error:
            return asked.job_id, str(error)
        rows = [json.loads(line) for line in samples.split(b"\n") if line]
        items = [Item.model_validate_json(line) for line in content.split(b"\n") if line]
        if len(rows) != len(items):
            return asked.job_id, f"{len(items)} questions were asked and {len(rows)} were answered"
        name = asked.candidate.model_name
        filled = (
            item.model_copy(update={"answer": row["answers"][name]}) for item, row in zip(items, rows, strict=True)
        )
        await self.opening.open_with(asked, asked.policy, asked.candidate, tuple(filled))
        return asked.job_id, None


def _item(question: AskedQuestion) -> Item:
    return Item(id=question.id, prompt=question.messages, reference=question.expected, answer="", tags=question.tags)


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)

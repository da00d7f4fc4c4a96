"""The question sets, and their questions in the artifact store."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from services.review.ownership import Caller
from services.review.panels.answer_requests import AskedQuestion
from services.review.panels.calibration import KnownItem
from services.review.panels.domain.item import Item
from services.review.questions.domain.question_set import (
    Question,
    QuestionsChanged,
    QuestionSet,
    Revision,
    check_questions,
)
from shared.events import Artifact
from shared.store import Collection, Decision


class UnknownQuestionSet(Exception):
    """There is no such question set, or the caller may not read it."""


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...
    def put_bytes(self, content: bytes) -> Artifact: ...


@dataclass(frozen=True)
class QuestionCatalog:
    """The use cases over question sets."""

    sets: Collection[QuestionSet]
    files: Files
    now: Callable[[], float] = time.time

    async def get(self, name: str, caller: Caller) -> QuestionSet:
        """A question set that the caller may read; raises `UnknownQuestionSet`."""
        found = await self.sets.get(name)
        if found is None or not found.readable_by(caller):
            raise UnknownQuestionSet(f"there is no question set {name!r}")
        return found

    async def visible(self, caller: Caller) -> list[QuestionSet]:
        """All question sets that the caller may read, by name."""
        return sorted((each for each in await self.sets.find() if each.readable_by(caller)), key=lambda each: each.id)

    async def put(
        self,
        name: str,
        questions: list[Question],
        readers: tuple[str, ...],
        caller: Caller,
        based_on: int | None = None,
    ) -> QuestionSet:
        """Add a question set, or a revision to one that the caller owns. The same questions again add nothing.

        Raises `QuestionsChanged` if the revision `based_on` is no longer the newest.
        """
        check_questions(questions)
        artifact = await asyncio.to_thread(self.files.put_bytes, _lines(questions))
        now, count = int(self.now()), len(questions)
        first = Revision(number=1, questions=artifact, count=count, author=caller.id, created_at=now)
        empty = QuestionSet(id=name, owner=caller.id, readers=readers, revisions=(first,))

        def revise(known: QuestionSet) -> Decision[QuestionSet] | None:
            changed = known.revised(artifact, count, caller, now, based_on)
            return None if changed is None else (changed, ())

        if await self.sets.create(empty):
            return empty
        return await self.sets.change(name, revise) or empty

    async def add(self, name: str, question: Question, caller: Caller) -> QuestionSet:
        """Add one question, such as a bad answer from production, to a set that the caller owns."""
        while True:
            known = await self.get(name, caller)
            others = [each for each in await self.questions(known.newest) if each.id != question.id]
            with suppress(QuestionsChanged):
                return await self.put(name, [*others, question], known.readers, caller, known.newest.number)

    async def questions(self, revision: Revision) -> list[Question]:
        """The questions of a revision."""
        content = await asyncio.to_thread(self.files.read, revision.questions)
        return [Question.model_validate_json(line) for line in content.split(b"\n") if line]

    async def asked(self, name: str, revision: int | None = None) -> list[AskedQuestion] | None:
        """The questions of a revision, None for the newest one; None where there is no such set or revision."""
        found = await self.sets.get(name)
        chosen = found.revision(revision) if found else None
        return [*await self.questions(chosen)] if chosen else None

    async def newest_revision(self, name: str) -> int | None:
        """The number of the newest revision, for a job that begins now; None where there is no such set."""
        found = await self.sets.get(name)
        return found.newest.number if found else None

    async def known_items(self, name: str) -> Sequence[KnownItem]:
        """The questions with a known score, as calibration items; none where there is no such set."""
        found = await self.sets.get(name)
        questions = await self.questions(found.newest) if found else []
        return [
            KnownItem(
                Item(
                    id=f"calibration-{each.id}",
                    prompt=each.messages,
                    reference=each.expected,
                    answer=each.answer,
                    tags=each.tags,
                ),
                each.scores,
            )
            for each in questions
            if each.answer is not None and each.scores
        ]


def _lines(questions: Sequence[Question]) -> bytes:
    return b"".join(each.model_dump_json().encode() + b"\n" for each in questions)

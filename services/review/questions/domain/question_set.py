"""A question set under its name: revisions with author and time, an owner and readers."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.review.ownership import Caller, NotOwner
from services.review.policies.domain.policy import EVERYBODY
from services.review.policies.domain.strict_model import StrictModel
from shared.events import Artifact

MAX_QUESTIONS = 1000
Text = Annotated[str, Field(max_length=200_000)]
Tag = Annotated[str, Field(min_length=1, max_length=64)]


class BadQuestions(ValueError):
    """A table of questions that cannot be used; `errors` name row, column and reason."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        first = errors[0]
        super().__init__(f"row {first['row']}, {first['column']}: {first['reason']}; {len(errors)} errors in all")
        self.errors = errors


class QuestionsChanged(Exception):
    """Somebody else has saved a revision since the question set was read."""


class Question(StrictModel):
    """One question. `prompt` is text or a list of messages. `scores` of an `answer` are known ones, for calibration."""

    id: str = Field(min_length=1, max_length=128)
    prompt: Text | list[dict[str, JsonValue]]
    expected: Text = ""
    tags: tuple[Tag, ...] = Field(default=(), max_length=20)
    answer: Text | None = None
    scores: dict[str, int] = Field(default_factory=dict, max_length=20)

    @property
    def messages(self) -> list[dict[str, JsonValue]]:
        """The prompt as messages."""
        return [{"role": "user", "content": self.prompt}] if isinstance(self.prompt, str) else self.prompt


class Revision(BaseModel):
    """One revision; its questions are stored as JSON Lines. `created_at` is in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    number: int
    questions: Artifact
    count: int
    author: str
    created_at: int


class QuestionSet(BaseModel):
    """All revisions of a question set, oldest first; `id` is its name."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    readers: tuple[str, ...] = (EVERYBODY,)
    revisions: tuple[Revision, ...]

    @property
    def newest(self) -> Revision:
        """The revision that new reviews take."""
        return self.revisions[-1]

    def revision(self, number: int | None) -> Revision | None:
        """A revision by its number, None for the newest; None where there is no such revision."""
        if number is None:
            return self.newest
        return next((each for each in self.revisions if each.number == number), None)

    def readable_by(self, caller: Caller) -> bool:
        """Whether the caller may see the questions."""
        return EVERYBODY in self.readers or caller.owns(self.owner) or not caller.ids.isdisjoint(self.readers)

    def revised(
        self, questions: Artifact, count: int, caller: Caller, now: int, based_on: int | None = None
    ) -> Self | None:
        """With a further revision; None where the questions are the same.

        Raises `NotOwner`, and `QuestionsChanged` if the revision `based_on`, from which the questions were made, is no
        longer the newest.
        """
        if not caller.owns(self.owner):
            raise NotOwner(
                f"the question set {self.id!r} belongs to {self.owner}: only its owner and admin can change it"
            )
        if self.newest.questions.sha256 == questions.sha256:
            return None
        if based_on not in (None, self.newest.number):
            raise QuestionsChanged(f"revision {self.newest.number} of {self.id!r} was saved meanwhile")
        revision = Revision(
            number=self.newest.number + 1, questions=questions, count=count, author=caller.id, created_at=now
        )
        return self.model_copy(update={"revisions": (*self.revisions, revision)})


def check_questions(questions: list[Question]) -> None:
    """Raise `BadQuestions` for too many questions, none, or two with one id."""
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        reason = f"a question set has 1 to {MAX_QUESTIONS} questions, not {len(questions)}"
        raise BadQuestions([{"row": 0, "column": "", "reason": reason}])
    seen: dict[str, int] = {}
    errors: list[dict[str, Any]] = []
    for row, question in enumerate(questions, start=1):
        if (before := seen.setdefault(question.id, row)) != row:
            errors.append({"row": row, "column": "id", "reason": f"the id {question.id!r} is also in row {before}"})
    if errors:
        raise BadQuestions(errors)

"""Question sets by HTTP."""

import asyncio
from typing import Annotated, Any, Self
from uuid import uuid4

from litestar import Request, Router, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, Parameter
from pydantic import BaseModel, Field

from services.review.access import allow_any, caller_of
from services.review.policies.domain.policy import EVERYBODY
from services.review.policies.domain.strict_model import StrictModel
from services.review.questions.catalog import QuestionCatalog
from services.review.questions.domain.question_set import Question, QuestionSet, Revision, Tag, Text
from services.review.questions.domain.table import Format, read_questions

AnyRequest = Request[Any, Any, Any]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class QuestionSetView(BaseModel):
    """A question set without its questions."""

    name: str
    owner: str
    readers: tuple[str, ...]
    newest: Revision
    revisions: int

    @classmethod
    def of(cls, found: QuestionSet) -> Self:
        return cls(
            name=found.id,
            owner=found.owner,
            readers=found.readers,
            newest=found.newest,
            revisions=len(found.revisions),
        )


class BadAnswer(StrictModel):
    """A prompt and a production answer that was bad, with what would have been right if known."""

    prompt: Annotated[Text | list[dict[str, Any]], Field(min_length=1)]
    answer: Text
    expected: Text = ""
    tags: tuple[Tag, ...] = Field(default=("production",), max_length=20)


@get("/question-sets")
async def question_sets(request: AnyRequest, questions: NamedDependency[QuestionCatalog]) -> list[QuestionSetView]:
    """The question sets that you may read."""
    return [QuestionSetView.of(each) for each in await questions.visible(caller_of(request))]


@get("/question-sets/{name:str}")
async def question_set(
    request: AnyRequest, name: FromPath[str], questions: NamedDependency[QuestionCatalog]
) -> QuestionSetView:
    """One question set."""
    return QuestionSetView.of(await questions.get(name, caller_of(request)))


@get("/question-sets/{name:str}/questions")
async def list_questions(
    request: AnyRequest, name: FromPath[str], questions: NamedDependency[QuestionCatalog]
) -> list[Question]:
    """The questions of the newest revision."""
    return await questions.questions((await questions.get(name, caller_of(request))).newest)


@put("/question-sets/{name:str}")
async def put_questions(
    request: AnyRequest,
    name: Annotated[FromPath[str], Parameter(pattern=NAME)],
    questions: NamedDependency[QuestionCatalog],
    format: FromQuery[Format],
    readers: FromQuery[str] = EVERYBODY,
) -> QuestionSetView:
    """Add a question set or a revision: the body is the file, `format` is `jsonl`, `csv` or `xlsx`."""
    read = await asyncio.to_thread(read_questions, await request.body(), format)
    allowed = tuple(each for each in readers.split(",") if each)
    return QuestionSetView.of(await questions.put(name, read, allowed, caller_of(request)))


@post("/question-sets/{name:str}/questions")
async def add_question(
    request: AnyRequest, name: FromPath[str], data: JSONBody[BadAnswer], questions: NamedDependency[QuestionCatalog]
) -> Question:
    """Add a bad answer from production as a question."""
    added = Question(
        id=f"production-{uuid4().hex[:12]}",
        prompt=data.prompt,
        expected=data.expected,
        tags=data.tags,
        answer=data.answer,
    )
    await questions.add(name, added, caller_of(request))
    return added


routes = Router(
    "/v1",
    route_handlers=[question_sets, question_set, list_questions, put_questions, add_question],
    guards=[allow_any("review", "train")],
    tags=["question sets"],
)

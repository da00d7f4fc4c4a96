"""The pages of question sets: the list, the import, and the questions of a revision."""

import asyncio
import re
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.review.access import caller_of
from services.review.ownership import NotOwner
from services.review.pages.rendering import PAGES, AnyRequest
from services.review.policies.domain.policy import EVERYBODY, POLICY_NAME
from services.review.questions.catalog import QuestionCatalog
from services.review.questions.domain.question_set import BadQuestions
from services.review.questions.domain.table import Format, read_questions
from shared.pages.conversation import turns
from shared.pages.forms import see_other
from shared.web import NotFound

PAGE_SIZE = 50
FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".xlsx": "xlsx"}
NAME = re.compile(POLICY_NAME)


@get("/question-sets")
async def question_sets_page(request: AnyRequest, questions: NamedDependency[QuestionCatalog]) -> Response[bytes]:
    """All question sets that the reader may see, and the form that imports one."""
    return await _list(request, questions)


@post("/question-sets", status_code=200)
async def import_questions(request: AnyRequest, questions: NamedDependency[QuestionCatalog]) -> Response[Any]:
    """Store the questions of a file as a new set, or as a new revision of one."""
    form = await request.form()
    name, file = str(form.get("name", "")).strip(), form.get("file")
    try:
        content, kind = await _content(file)
        _check_name(name)
        read = await asyncio.to_thread(read_questions, content, kind)
        known = [each for each in await questions.visible(caller_of(request)) if each.id == name]
        readers = known[0].readers if known else (EVERYBODY,)
        await questions.put(name, read, readers, caller_of(request))
    except BadQuestions as bad:
        return await _list(request, questions, name, bad.errors, 422)
    except NotOwner as refusal:
        return await _list(request, questions, name, [{"row": 0, "column": "name", "reason": str(refusal)}], 403)
    return see_other(f"/console/review/question-sets/{name}")


@get("/question-sets/{name:str}")
async def question_set_page(
    request: AnyRequest,
    name: FromPath[str],
    questions: NamedDependency[QuestionCatalog],
    revision: Annotated[int | None, Parameter(ge=1)] = None,
    page: Annotated[int, Parameter(ge=1, le=1000)] = 1,
) -> Response[bytes]:
    """The questions of one revision, and all revisions."""
    found = await questions.get(name, caller_of(request))
    chosen = found.revision(revision)
    if chosen is None:
        raise NotFound(f"the question set {name!r} has no revision {revision}")
    every = await questions.questions(chosen)
    rows = every[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    values: dict[str, Any] = {"found": found, "chosen": chosen, "rows": rows, "page": page, "messages": turns}
    values["more"] = len(every) > page * PAGE_SIZE
    return PAGES.page(request, "question_set.html.j2", at="review", **values)


async def _list(
    request: AnyRequest, questions: QuestionCatalog, name: str = "", errors: Any = (), status: int = 200
) -> Response[bytes]:
    found = await questions.visible(caller_of(request))
    values: dict[str, Any] = {"sets": found, "name": name, "errors": errors}
    return PAGES.page(request, "question_sets.html.j2", status=status, at="review", **values)


async def _content(file: object) -> tuple[bytes, Format]:
    if not isinstance(file, UploadFile) or not file.filename:
        raise BadQuestions([{"row": 0, "column": "file", "reason": "choose a file"}])
    ending = "." + file.filename.rsplit(".", 1)[-1].lower()
    if ending not in FORMATS:
        reason = f"{file.filename!r} is not one of {', '.join(FORMATS)}"
        raise BadQuestions([{"row": 0, "column": "file", "reason": reason}])
    return await file.read(), FORMATS[ending]


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        reason = "use 1 to 64 letters, digits, dots, underscores and hyphens; begin with a letter or digit"
        raise BadQuestions([{"row": 0, "column": "name", "reason": reason}])

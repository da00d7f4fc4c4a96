"""Errors of the domain as problem details (RFC 9457)."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response

from services.review.ownership import NotOwner
from services.review.panels.assignments import UnknownReview
from services.review.panels.domain.item import UnknownItem
from services.review.panels.domain.member import NotCalibrated
from services.review.panels.domain.review import OwnJob, WrongState
from services.review.panels.domain.scorecard import NotAssigned, ReviewClosed
from services.review.policies.catalog import PolicyInUse, UnknownPolicy
from services.review.policies.domain.rubric import BadScore
from services.review.questions.catalog import UnknownQuestionSet
from services.review.questions.domain.question_set import BadQuestions
from services.review.runs.domain.run import UnknownRun
from services.review.workbook.reader import BadWorkbook
from shared.web import problem

Handler = Callable[[Request[Any, Any, Any], Exception], Response[Any]]


def _answer(status: int, title: str) -> Handler:
    return lambda _request, error: problem(status, title, str(error))


def _bad_questions(_request: Request[Any, Any, Any], error: BadQuestions) -> Response[Any]:
    return problem(422, "Bad questions", str(error), errors=error.errors)


def _bad_workbook(_request: Request[Any, Any, Any], error: BadWorkbook) -> Response[Any]:
    return problem(422, "Bad workbook", str(error), errors=error.errors)


problems: dict[Any, Any] = {
    **dict.fromkeys(
        (UnknownReview, UnknownItem, UnknownPolicy, UnknownQuestionSet, UnknownRun), _answer(404, "Not found")
    ),
    **dict.fromkeys((NotOwner, NotAssigned, OwnJob), _answer(403, "Not allowed")),
    **dict.fromkeys((ReviewClosed, WrongState, PolicyInUse, NotCalibrated), _answer(409, "Conflict")),
    BadScore: _answer(422, "Bad scores"),
    BadQuestions: _bad_questions,
    BadWorkbook: _bad_workbook,
}

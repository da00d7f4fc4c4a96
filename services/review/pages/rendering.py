"""The templates of review's pages, and what several pages share."""

from pathlib import Path
from typing import Any

from litestar import Request

from services.review.ownership import NotOwner
from services.review.panels.assignments import UnknownReview
from services.review.panels.domain.item import UnknownItem
from services.review.panels.domain.member import NotCalibrated
from services.review.panels.domain.review import OwnJob, WrongState
from services.review.panels.domain.scorecard import NotAssigned, ReviewClosed
from services.review.policies.catalog import UnknownPolicy
from services.review.questions.catalog import UnknownQuestionSet
from services.review.runs.domain.run import UnknownRun
from shared.pages.rendering import Pages
from shared.security import NotAllowed
from shared.web import NotFound

PAGES = Pages("review", Path(__file__).parent)
AnyRequest = Request[Any, Any, Any]
MISSING = (UnknownReview, UnknownItem, UnknownPolicy, UnknownQuestionSet, UnknownRun)
FORBIDDEN = (NotOwner, NotAssigned, OwnJob)
LIKE: dict[type[Exception], type[Exception]] = {
    **dict.fromkeys(MISSING, NotFound),
    **dict.fromkeys(FORBIDDEN, NotAllowed),
}
"""Errors of review that are shown as these pages are."""
REFUSALS: tuple[type[Exception], ...] = (*FORBIDDEN, WrongState, ReviewClosed, NotCalibrated)
"""Errors after which a form is shown again with what was typed."""

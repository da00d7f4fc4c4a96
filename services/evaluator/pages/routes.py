"""Every page of the evaluator."""

from services.evaluator.comparison.service import CheckpointNotFound
from services.evaluator.pages import PAGES
from services.evaluator.pages.checkpoints import checkpoints
from services.evaluator.pages.compare import compare, export
from services.evaluator.pages.requests import evaluation_requests, request_evaluation, requested_evaluation
from services.evaluator.pages.suite_forms import (
    create_suite,
    delete_suite,
    describe_suite,
    edit_suite,
    new_suite,
    save_suite,
)
from services.evaluator.pages.suites import suite, suites
from services.evaluator.suites.domain.suite_errors import SuiteNotFound, SuiteNotOwned
from shared.pages import pages_router
from shared.security import NotAllowed
from shared.web import NotFound

_COMPARISONS = (checkpoints, compare, export)
_SUITES = (suites, suite, new_suite, create_suite, edit_suite, save_suite, describe_suite, delete_suite)
_REQUESTS = (evaluation_requests, request_evaluation, requested_evaluation)
routes = pages_router(
    "/console/evaluator",
    (*_COMPARISONS, *_SUITES, *_REQUESTS),
    PAGES,
    scopes=["train"],
    like={CheckpointNotFound: NotFound, SuiteNotFound: NotFound, SuiteNotOwned: NotAllowed},
)

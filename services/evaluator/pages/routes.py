"""Every page of the evaluator."""

from services.evaluator.comparison.service import CheckpointNotFound
from services.evaluator.pages import PAGES
from services.evaluator.pages.checkpoints import checkpoints
from services.evaluator.pages.compare import compare, export
from shared.pages import pages_router
from shared.web import NotFound

HANDLERS = (checkpoints, compare, export)
routes = pages_router("/console/evaluator", HANDLERS, PAGES, scopes=["train"], like={CheckpointNotFound: NotFound})

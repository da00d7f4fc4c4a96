"""Every page of the trainer."""

from services.trainer.pages import PAGES
from services.trainer.pages.compare import compare
from services.trainer.pages.jobs import jobs
from services.trainer.pages.new_job import new_job, new_job_plan
from services.trainer.pages.run import run_arrived, run_checkpoints, run_page
from services.trainer.pages.run_stream import run_stream
from shared.pages import pages_router
from shared.store import CursorError
from shared.web import NotFound

_HANDLERS = [jobs, compare, new_job, new_job_plan, run_page, run_arrived, run_checkpoints, run_stream]
routes = pages_router("/console/trainer", _HANDLERS, PAGES, scopes=["train"], like={CursorError: NotFound})

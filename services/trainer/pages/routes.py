"""Every page of the trainer."""

from services.trainer.pages import PAGES
from services.trainer.pages.jobs import jobs
from services.trainer.pages.run import run_live, run_page
from shared.pages import pages_router

routes = pages_router("/console/trainer", [jobs, run_page, run_live], PAGES, scopes=["train"])

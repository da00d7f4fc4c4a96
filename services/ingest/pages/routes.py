"""Every page of ingest."""

from services.ingest.pages import PAGES
from services.ingest.pages.datasets import dataset_list, dataset_page, difference_part, removed
from services.ingest.pages.finding_list import finding_list
from services.ingest.pages.prompt_templates import editor, new_template, saved, template_list
from services.ingest.pages.row_list import row_list, rows_part
from services.ingest.pages.template_sample import sample_part
from services.ingest.pages.twins import twins_part
from services.ingest.pages.uploads import begin, check_state, example, upload_page, waiting_page
from shared.pages import pages_router
from shared.store import CursorError
from shared.web import NotFound

routes = pages_router(
    "/console/ingest",
    [
        *(dataset_list, dataset_page, difference_part, removed, finding_list, row_list, rows_part, twins_part),
        *(upload_page, waiting_page, check_state, begin, example),
        *(template_list, new_template, editor, saved, sample_part),
    ],
    PAGES,
    scopes=["train"],
    like={CursorError: NotFound},
)

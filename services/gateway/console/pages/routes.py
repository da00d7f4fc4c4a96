"""The pages of the console for people who are signed in."""

from services.gateway.common.domain.errors import Missing, NotPermitted
from services.gateway.console.pages import PAGES
from services.gateway.console.pages.home import home, line
from services.gateway.console.pages.job_parts import scores, verdict
from shared.pages import pages_router
from shared.security import NotAllowed
from shared.web import NotFound

_LIKE: dict[type[Exception], type[Exception]] = {Missing: NotFound, NotPermitted: NotAllowed}

routes = pages_router("/console", [home, line, scores, verdict], PAGES, like=_LIKE)

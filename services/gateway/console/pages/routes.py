"""The pages of the console for people who are signed in."""

from services.gateway.common.domain.errors import Missing, NotPermitted
from services.gateway.console.pages import PAGES, admin_events, admin_keys, admin_people, admin_webhooks, serve_actions
from services.gateway.console.pages.admin import admin
from services.gateway.console.pages.admin_audit import audit_page
from services.gateway.console.pages.admin_usage import usage_page
from services.gateway.console.pages.home import home, line
from services.gateway.console.pages.job_parts import scores, verdict
from services.gateway.console.pages.playground import playground, vote
from services.gateway.console.pages.preferences import delete_preferences, preference_rows
from services.gateway.console.pages.serve import consequence, engines, serve
from shared.pages import pages_router
from shared.security import NotAllowed
from shared.web import NotFound

_LIKE: dict[type[Exception], type[Exception]] = {Missing: NotFound, NotPermitted: NotAllowed}

ROUTES = (
    pages_router("/console", [home, line, scores, verdict], PAGES, like=_LIKE),
    pages_router(
        "/console/serve",
        [
            *(serve, engines, consequence, playground, vote, preference_rows, delete_preferences),
            *serve_actions.HANDLERS,
        ],
        PAGES,
        scopes=["infer", "train"],
        like=_LIKE,
    ),
    pages_router(
        "/console/admin",
        [
            admin,
            usage_page,
            audit_page,
            *admin_keys.HANDLERS,
            *admin_people.HANDLERS,
            *admin_webhooks.HANDLERS,
            *admin_events.HANDLERS,
        ],
        PAGES,
        like=_LIKE,
    ),
)

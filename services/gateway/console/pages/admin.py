"""Admin: its tabs, and what a person without the scope `admin` sees of them."""

from typing import Any

from litestar import Request, Response, get

from services.gateway.common.domain.errors import ApiError
from services.gateway.console.pages import PAGES
from shared.pages.forms import see_other
from shared.security import Key

AnyRequest = Request[Any, Any, Any]
TABS = {
    "keys": "",
    "people": "admin",
    "usage": "",
    "audit": "admin",
    "webhooks": "train",
    "events": "train",
    "dead_letters": "admin",
}
"""The tabs in their order, and the scope that each needs; "" for everybody who is signed in."""


@get("/", sync_to_thread=False)
def admin() -> Response[bytes]:
    """The first tab."""
    return see_other("/console/admin/keys")


def admin_page(
    request: AnyRequest, tab: str, *, status: int = 200, refused: ApiError | None = None, done: str = "", **values: Any
) -> Response[bytes]:
    """A tab's page, after a refused action with its reason."""
    key: Key = request.state.key
    shown = [name for name, scope in TABS.items() if not scope or key.allows(scope)]  # type: ignore[arg-type]
    page_values: dict[str, Any] = {
        "tab": tab,
        "tabs": shown,
        "done": done,
        "refused": refused.message if refused else "",
    }
    return PAGES.page(request, f"admin_{tab}.html.j2", status=status, at="admin", **page_values, **values)

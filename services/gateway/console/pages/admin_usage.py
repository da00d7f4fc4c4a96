"""Admin, usage: tokens by day as a picture, and by key and version."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.common.domain.errors import ApiError
from services.gateway.console.pages.actions import status_of
from services.gateway.console.pages.admin import admin_page
from services.gateway.console.pages.usage_chart import Day, usage_chart
from shared.security import Key, Keyring

AnyRequest = Request[Any, Any, Any]
LISTED = 50


@get("/usage")
async def usage_page(
    request: AnyRequest,
    ledger: NamedDependency[UsageLedger],
    days: FromQuery[int] = 30,
    by: FromQuery[Literal["key_id", "version"]] = "key_id",
) -> Response[bytes]:
    """The last days; an administrator sees every key, others what their own key used."""
    key: Key = request.state.key
    last = datetime.now(UTC).date()
    first = last - timedelta(days=min(max(days, 1), 366) - 1)
    owner = None if key.allows("admin") else key.id
    try:
        found = await ledger.usage(first, last, owner, ("day", by))
    except ApiError as error:
        return admin_page(request, "usage", refused=error, status=status_of(error), **_values([], [], days, by, {}))
    totals = _totals(found, by)
    keyring: Keyring = request.app.state.keyring
    named = {row[by]: known.name for row in totals[:LISTED] if (known := keyring.get(str(row[by])))}
    return admin_page(request, "usage", **_values(_by_day(found, first, last), totals, days, by, named))


def _values(
    days: list[Day], totals: list[dict[str, Any]], asked: int, by: str, names: dict[str, str]
) -> dict[str, Any]:
    most = max((row["total_tokens"] for row in totals), default=0) or 1
    return {
        "days": days,
        "picture": usage_chart,
        "rows": totals[:LISTED],
        "count": len(totals),
        "most": most,
        "asked_days": asked,
        "by": by,
        "names": names,
        "requests": sum(row["requests"] for row in totals),
        "tokens": sum(row["total_tokens"] for row in totals),
    }


def _by_day(rows: list[dict[str, Any]], first: date, last: date) -> list[Day]:
    """Every day of the span, those without use too."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        kept = sums.setdefault(row["day"], [0, 0, 0])
        for place, name in enumerate(("requests", "prompt_tokens", "completion_tokens")):
            kept[place] += row[name]
    span = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    return [Day(day, *sums.get(day, [0, 0, 0])) for day in span]


def _totals(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """The sums over all days, the most tokens first."""
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        kept = sums.setdefault(row[by], {by: row[by], "requests": 0, "total_tokens": 0})
        kept["requests"] += row["requests"]
        kept["total_tokens"] += row["total_tokens"]
    return sorted(sums.values(), key=lambda row: row["total_tokens"], reverse=True)

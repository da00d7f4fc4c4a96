"""A change of shares that an operator considers: two versions of one name, and what keeps a caller on one of them."""

from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain.errors import BadRequest
from services.gateway.console.domain.served_name import ServedName

STICKY = ("user", "key", "")
"""The same user, the same key, or each request by itself."""


@dataclass(frozen=True)
class ShareChange:
    """`percent` of the requests go to `version`, the others to `rest`. Rules by header and the shadow stay."""

    version: str
    rest: str
    percent: int
    sticky: str = "user"

    @property
    def rest_percent(self) -> int:
        return 100 - self.percent

    def applied(self, name: ServedName) -> dict[str, Any]:
        """The split to ask for, not checked yet; raises `BadRequest`."""
        if self.version == self.rest:
            message = "Choose two different versions, one for the share and one for the rest."
            raise BadRequest(message, param="rest", code="invalid_value")
        weights = {self.version: self.percent, self.rest: self.rest_percent}
        arms = [{"version": version, "weight": weight} for version, weight in weights.items() if weight]
        # Without a split the name means its newest version, also when that changes.
        whole = len(arms) == 1 and name.current is not None and arms[0]["version"] == name.current.version
        return {**name.routing.model_dump(), "split": [] if whole else arms, "sticky": self.sticky or None}


def suggested(name: ServedName) -> ShareChange | None:
    """What the slider begins with: the split as it is, else everything on the current version."""
    if name.current is None or len(name.rows) < 2:
        return None
    shares = sorted((row for row in name.rows if row.share), key=lambda row: row.deployment.at, reverse=True)
    version, rest = (shares[0], shares[1]) if len(shares) > 1 else (name.current, name.before or name.rows[0])
    sticky = name.routing.sticky if name.routing.split else "user"
    return ShareChange(version.version, rest.version, round(100 * version.share), sticky or "")


def with_shadow(name: ServedName, version: str, percent: int) -> dict[str, Any]:
    """The split with copies of so many percent of the requests for a version; 0 ends the shadow."""
    return {**name.routing.model_dump(), "shadow": {"version": version, "percent": percent} if percent else None}

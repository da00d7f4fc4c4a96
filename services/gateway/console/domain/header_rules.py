"""Rules of a stable name: requests that carry a header with a value go to one version, whatever the shares are."""

from typing import Any

from services.gateway.console.domain.served_name import ServedName


def with_rule(name: ServedName, header: str, equals: str, version: str) -> dict[str, Any]:
    """The split with this rule, not checked yet; it takes the place of a rule for the same header and value."""
    changed = without_rule(name, header, equals)
    rule = {"header": header.strip().lower(), "equals": equals.strip(), "version": version}
    return {**changed, "rules": [*changed["rules"], rule]}


def without_rule(name: ServedName, header: str, equals: str) -> dict[str, Any]:
    """The split without the rule for this header and value; the same split if there is none."""
    given = (header.strip().lower(), equals.strip())
    routing = name.routing.model_dump()
    return {**routing, "rules": [rule for rule in routing["rules"] if (rule["header"], rule["equals"]) != given]}

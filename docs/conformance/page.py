"""The conformance page: each call and field of the SDK with the rule that applies to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from docs.conformance.sdk_surface import Call, Surface

RULES = Path(__file__).with_name("rules.yaml")
PAGE = Path(__file__).parents[1] / "conformance.md"
STATUSES = ("same", "differs", "ignored", "refused", "absent", "not offered")


class ConformanceError(Exception):
    """The rules do not fit the SDK; the message says where."""


@dataclass(frozen=True)
class Rule:
    """What Assay does with the names that fit one of the patterns."""

    status: str
    reason: str
    patterns: tuple[str, ...]

    def fits(self, name: str) -> bool:
        # In fnmatch a bracket opens a set of characters; the names have none.
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def load(path: Path = RULES) -> dict[str, list[Rule]]:
    """The rules by group; raises `ConformanceError` for an unknown status or a missing reason."""
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load(path.read_text())
    rules = {
        group: [Rule(each["status"], each.get("reason", ""), tuple(each["names"])) for each in entries]
        for group, entries in content.items()
    }
    for rule in (rule for entries in rules.values() for rule in entries):
        if rule.status not in STATUSES:
            raise ConformanceError(f"unknown status {rule.status!r} for {rule.patterns}; known are {STATUSES}")
        if rule.status != "same" and not rule.reason:
            raise ConformanceError(f"the rule {rule.status!r} for {rule.patterns} needs a reason")
    return rules


def rule_for(rules: Sequence[Rule], name: str) -> Rule:
    """The first rule that fits; raises `ConformanceError` if none does."""
    for rule in rules:
        if rule.fits(name):
            return rule
    raise ConformanceError(f"no rule for {name!r}: add one to {RULES.name}")


def _offered(surface: Surface, rules: dict[str, list[Rule]]) -> list[Call]:
    return [call for call in surface.calls if rule_for(rules["calls"], f"call {call.name}").status != "not offered"]


def names(surface: Surface) -> dict[str, list[str]]:
    """All names of the SDK by the group of rules that they belong to."""
    return {
        "calls": [f"call {call.name}" for call in surface.calls],
        "parameters": [f"{call.name}({p})" for call in surface.calls for p in call.parameters],
        "fields": [f"{name}.{field}" for name, fields in surface.objects.items() for field in fields],
        "notifications": [f"notification {name}" for name in surface.notifications],
    }


def page(surface: Surface, rules: dict[str, list[Rule]]) -> str:
    """The Markdown page."""
    offered = _offered(surface, rules)
    shown = {name for call in offered for name in call.returns}
    objects = {name: fields for name, fields in surface.objects.items() if name in shown}
    lines = [*_introduction(surface), *_calls(surface.calls, rules["calls"]), "## Parameters", ""]
    for call in offered:
        rows = [(p, rule_for(rules["parameters"], f"{call.name}({p})")) for p in call.parameters]
        lines += _section(f"`{call.name}`", rows)
    lines += ["## Objects", ""]
    for name, fields in objects.items():
        lines += _section(f"`{name}`", [(field, rule_for(rules["fields"], f"{name}.{field}")) for field in fields])
    lines += ["## Webhook notifications", "", "| type | Assay | why |", "|---|---|---|"]
    lines += [_row(each, rule_for(rules["notifications"], f"notification {each}")) for each in surface.notifications]
    return "\n".join(lines) + "\n"


def _introduction(surface: Surface) -> list[str]:
    return [
        "# Conformance with OpenAI's API",
        "",
        f"Every call and field of the official Python SDK (`openai` {surface.version}) for files, models, fine-tuning,",
        "chat and webhooks, and what Assay does with it. `make conformance` generates this page from the SDK's types",
        "and [conformance/rules.yaml](conformance/rules.yaml).",
        "",
        "| status | meaning |",
        "|---|---|",
        "| same | as OpenAI documents it |",
        "| differs | accepted or returned, with the difference that is named |",
        "| ignored | accepted, without any effect |",
        "| refused | answered with an error that names the parameter |",
        "| absent | never set in an answer |",
        "| not offered | no such call or object |",
        "",
    ]


def _calls(calls: Iterable[Call], rules: Sequence[Rule]) -> list[str]:
    lines = ["## Calls", "", "| call | Assay | why |", "|---|---|---|"]
    return [*lines, *(_row(call.name, rule_for(rules, f"call {call.name}")) for call in calls), ""]


def _section(title: str, rows: Sequence[tuple[str, Rule]]) -> list[str]:
    if not rows:
        return []
    settled: list[str] = []
    lines = [f"### {title}", "", "| name | Assay | why |", "|---|---|---|"]
    for name, rule in rows:
        # The parts of something that is not there need no line each.
        if not any(name.startswith(f"{parent}.") for parent in settled):
            lines.append(_row(name, rule))
            if rule.status in ("refused", "absent", "not offered", "ignored"):
                settled.append(name)
    return [*lines, ""]


def _row(name: str, rule: Rule) -> str:
    return f"| `{name}` | {rule.status} | {rule.reason.replace('|', chr(92) + '|')} |"

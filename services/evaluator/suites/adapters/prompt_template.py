"""Untrusted Jinja templates of prompts: no calls, few filters, limits on size and time."""

import json
import signal
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.evaluator.scoring.domain.item import CannotBeScored

MAX_CHARACTERS = 200_000
MAX_NUMBER = 10**18
RENDER_TIMEOUT_S = 2.0
_AGAIN_S = 0.1
# Each can produce very large values, run code, or read files.
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "calls",
    nodes.CallBlock: "calls",
    nodes.Macro: "macros",
    nodes.Include: "includes",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
    nodes.Extends: "inheritance",
    nodes.AssignBlock: "block assignments",
    nodes.FilterBlock: "filter blocks",
    nodes.Concat: "the operator ~",
    nodes.Pow: "the operator **",
    nodes.Mod: "the operator %",
}


class _PromptEnvironment(ImmutableSandboxedEnvironment):
    """Only what a prompt needs. Inserted values must be texts or numbers."""

    intercepted_binops = frozenset({"+", "*"})

    def __init__(self) -> None:
        super().__init__(autoescape=False, keep_trailing_newline=True, finalize=_plain)
        self.globals.clear()
        self.filters.clear()
        self.filters.update(
            trim=lambda value: _text(value).strip(),
            upper=lambda value: _text(value).upper(),
            lower=lambda value: _text(value).lower(),
            title=lambda value: _text(value).title(),
            first=lambda value: value[0],
            last=lambda value: value[-1],
            length=len,
            default=lambda value, other="": other if value in (None, "") or self.is_undefined(value) else value,
            join=_join,
            tojson=_json,
        )

    def is_undefined(self, value: object) -> bool:
        return type(value).__name__.endswith("Undefined")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError("only numbers can be multiplied")
        result = super().call_binop(context, operator, left, right)
        if (isinstance(result, str | list | tuple) and len(result) > MAX_CHARACTERS) or _huge(result):
            raise SecurityError(f"a value grows past {MAX_CHARACTERS} characters or {MAX_NUMBER:.0e}")
        return result


class PromptTemplate:
    """One template. It is checked when it is created and limited when it is rendered; both raise `CannotBeScored`."""

    def __init__(self, source: str) -> None:
        environment = _PromptEnvironment()
        try:
            parsed = environment.parse(source)
            if found := next(parsed.find_all(tuple(_REFUSED)), None):
                raise _refused(f"line {found.lineno} uses {_REFUSED[type(found)]}, which prompts must not use")
            self._template = environment.from_string(source)
        except (TemplateError, RecursionError, ValueError) as error:
            raise _refused(str(error) or type(error).__name__) from None

    def __call__(self, values: Mapping[str, Any]) -> str:
        parts: list[str] = []
        size = 0
        try:
            with _deadline(RENDER_TIMEOUT_S):
                for part in self._template.generate(**values):
                    size += len(part)
                    if size > MAX_CHARACTERS:
                        raise SecurityError(f"makes more than {MAX_CHARACTERS} characters")
                    parts.append(part)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError, _TimedOut) as error:
            raise _refused(str(error) or type(error).__name__) from None
        return "".join(parts)


class _TimedOut(Exception):
    """Rendering took too long."""


@contextmanager
def _deadline(limit_s: float) -> Generator[None]:
    """Raise `_TimedOut` in the main thread after `limit_s`; Jinja's loops are Python, so a signal interrupts them.

    It is raised again and again: Python drops an exception that meets a finalizer or a callback of the garbage
    collector. The timer that ran before goes on afterwards.
    """

    def on_alarm(_signal: int, _frame: object) -> None:
        raise _TimedOut(f"takes longer than {limit_s:g} s")

    handler, started = signal.signal(signal.SIGALRM, on_alarm), time.monotonic()
    due_s, every_s = signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if due_s:
            left_s = due_s - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left_s, _AGAIN_S), every_s)


def _refused(reason: str) -> CannotBeScored:
    return CannotBeScored("bad_template", f"the prompt template is unusable: {reason[:500]}")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else value
    if type(value).__name__.endswith("Undefined"):
        # Unknown columns are errors, not empty texts.
        raise SecurityError(f"there is no column {value._undefined_name!r}")
    raise SecurityError(f"a {type(value).__name__} is not a text; use the filter join or tojson")


def _text(value: Any) -> str:
    return str(_plain(value))


def _huge(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) > MAX_NUMBER


def _join(values: Any, between: str = "") -> str:
    parts = [_text(value) for value in values]
    if sum(map(len, parts)) + len(between) * len(parts) > MAX_CHARACTERS:
        raise SecurityError(f"join makes more than {MAX_CHARACTERS} characters")
    return between.join(parts)


def _json(value: Any) -> str:
    made = ""
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        made += part
        if len(made) > MAX_CHARACTERS:
            raise SecurityError(f"tojson makes more than {MAX_CHARACTERS} characters")
    return made

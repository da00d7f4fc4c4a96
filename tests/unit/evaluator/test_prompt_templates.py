"""Untrusted prompt templates are rendered literally and limited."""

import itertools
import signal
import time
from collections.abc import Iterator

import pytest

from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.adapters.prompt_template import MAX_CHARACTERS, RENDER_TIMEOUT_S, PromptTemplate

VALUES = {"question": "Where is Rome?", "choices": ["Italy", "Peru"], "letters": "ABC", "more": {"a": [1, "二"]}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ question }}\nAnswer:", "Where is Rome?\nAnswer:"),
        (
            "{% for choice in choices %}{{ letters[loop.index0] }}. {{ choice }}\n{% endfor %}",
            "A. Italy\nB. Peru\n",
        ),
        ("{% if choices|length > 1 %}{{ choices|join(', ') }}{% else %}none{% endif %}", "Italy, Peru"),
        ("{{ more|tojson }} {{ 2 * 3 + 1 }} {{ question|upper|trim }}", '{"a": [1, "二"]} 7 WHERE IS ROME?'),
    ],
)
def test_a_template_is_rendered_with_a_rows_values(template, text) -> None:
    assert PromptTemplate(template)(VALUES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 300000000 }}",
        "{{ ('a' * 1000) * 1000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ question.__class__.__mro__ }}",
        "{{ question.format(1) }}",
        "{{ ''|attr('__class__') }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self._TemplateReference__context }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = question %}" + "{% set x = [x, x] %}" * 60 + "{{ x|tojson }}",
        "{% set x = question %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
        "{% set x = question %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
        "{% set x = question %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
        "{% set x = question %}" + "{% set x = [x, x, x, x, x, x]|join(x) %}" * 40 + "{{ x }}",
        "{% set x = 9 %}" + "{% set x = x * x %}" * 40 + "{{ x }}",
        "{% for a in choices %}" * 18 + "{{ question }}" + "{% endfor %}" * 18,
        "{% for a in range(10) %}{% endfor %}",
        "{{ no_such_column }}",
        "{{ question",
        "{{ 1 // 0 }}",
        "{{ choices }}",
    ],
)
def test_forbidden_template_features_are_refused_at_once(template) -> None:
    started = time.monotonic()
    with pytest.raises(CannotBeScored, match=r"the prompt template is unusable: ."):
        PromptTemplate(template)(VALUES)
    assert time.monotonic() - started < RENDER_TIMEOUT_S + 1


def test_a_slow_template_is_stopped() -> None:
    loops = 12
    template = "{% for a in letters %}" * loops + "{% endfor %}" * loops
    started = time.monotonic()
    with pytest.raises(CannotBeScored, match="takes longer than 2 s"):
        PromptTemplate(template)({"letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
    assert time.monotonic() - started < RENDER_TIMEOUT_S + 1


class SlowToGo:
    """Its end takes until after the limit, and drops the exception that meets it."""

    def __del__(self) -> None:
        time.sleep(RENDER_TIMEOUT_S + 0.5)


def endless() -> Iterator[object]:
    yield SlowToGo()
    yield from itertools.repeat("a")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_slow_template_is_stopped_although_a_finalizer_drops_the_first_alarm() -> None:
    due_s, _ = signal.getitimer(signal.ITIMER_REAL)
    with pytest.raises(CannotBeScored, match="takes longer than 2 s"):
        PromptTemplate("{% for a in letters %}{% endfor %}")({"letters": endless()})
    # The limit of the test itself still runs.
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == (due_s > 0)


def test_a_too_long_prompt_is_refused() -> None:
    with pytest.raises(CannotBeScored, match="more than 200000 characters"):
        PromptTemplate("{{ question }}!")({"question": "x" * MAX_CHARACTERS})

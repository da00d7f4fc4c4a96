"""A template around rows of a dataset, as the model is asked: what came from the row is marked."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from markupsafe import Markup, escape

from services.ingest.domain.template_version import TemplateRefused
from services.ingest.pages import PAGES
from services.ingest.pages.access import visible
from services.ingest.pages.template_form import TemplateForm
from services.ingest.service.datasets import Datasets
from services.ingest.service.rows import Rows
from services.ingest.shapes.canonical import Conversation, Row
from shared.events import PromptTemplate
from shared.prompts import MissingFieldError, SystemRefusedError, render

AnyRequest = Request[Any, Any, Any]
SAMPLE_ROWS = 3
_SHOWN_CHARS = 4_000
_BEGIN, _END = "\ue000", "\ue001"
"""Private characters around values; taken out of the values themselves first."""
_VALUE = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)


@dataclass(frozen=True)
class SampleRow:
    """One row with the template around it, or why that cannot be."""

    number: int
    turns: Sequence[tuple[str, Markup]] = ()
    problem: str = ""


@post("/template-sample", status_code=200)
async def sample_part(
    request: AnyRequest, datasets: NamedDependency[Datasets], rows: NamedDependency[Rows]
) -> Response[bytes]:
    """The first rows of the chosen dataset with what is typed around them; nothing is saved."""
    form = TemplateForm.read(dict(await request.form()))
    problem, samples = "", list[SampleRow]()
    try:
        template = form.template()
        if form.dataset:
            found = await visible(request, datasets, form.dataset)
            first = await asyncio.to_thread(rows.first, found, SAMPLE_ROWS)
            samples = [sample(template, place, row, fields) for place, (row, fields) in enumerate(first, start=1)]
    except TemplateRefused as refused:
        problem = str(refused)
    return PAGES.fragment(request, "template_sample.html.j2", problem=problem, samples=samples, form=form)


def sample(template: PromptTemplate, number: int, row: Row, fields: Mapping[str, Any]) -> SampleRow:
    """One row rendered by the function that renders training rows and requests."""
    if not isinstance(row, Conversation):
        return SampleRow(number, problem="this row is not a conversation; templates apply to conversations only")
    messages = [{"role": one.role, "content": _wrapped(one.content)} for one in row.messages]
    try:
        made = render(template, messages, {name: _wrapped(str(value)) for name, value in fields.items()})
    except (MissingFieldError, SystemRefusedError) as error:
        return SampleRow(number, problem=str(error))
    return SampleRow(number, [(one["role"], _marked(one["content"])) for one in made])


def _wrapped(text: str) -> str:
    bare = text.replace(_BEGIN, "").replace(_END, "")[:_SHOWN_CHARS]
    return f"{_BEGIN}{bare}{_END}" if bare else ""


def _marked(text: str) -> Markup:
    hit = Markup("<mark>{}</mark>")
    parts = _VALUE.split(text)
    return Markup("").join(hit.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))

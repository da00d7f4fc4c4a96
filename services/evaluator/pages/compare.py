"""Several models side by side: scores with their tests, pictures, and every item on which they differ."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, Parameter

from services.evaluator.comparison.api import MEDIA_TYPES
from services.evaluator.comparison.domain.item_difference import ItemFilter
from services.evaluator.comparison.service import ComparisonRequest, Comparisons, NotComparable
from services.evaluator.pages import PAGES
from services.evaluator.pages.comparison_view import ComparisonView, ItemChoice
from services.evaluator.pages.models import MAX_SHOWN
from shared.security import Key

AnyRequest = Request[Any, Any, Any]
PATH = "/console/evaluator/compare"
Text = Annotated[str, Parameter(max_length=200)]


@dataclass(frozen=True)
class Choice:
    """What the address of the page says: the models, the baseline, and the items that are shown."""

    of: tuple[str, ...]
    base: bool
    production: bool
    against: str
    items: ItemChoice

    @property
    def count(self) -> int:
        return len(self.of) + self.base + self.production

    def without(self, name: str) -> "Choice":
        changes: dict[str, Any] = {name: False} if name in ("base", "production") else {}
        of = tuple(each for each in self.of if each != name)
        return replace(self, of=of, against="" if self.against == name else self.against, **changes)

    def address(self, path: str = PATH, **changes: Any) -> str:
        """The address of the same page with other items; without defaults, so that it stays short."""
        models: list[tuple[str, str]] = [("of", name) for name in self.of]
        models += [(name, "true") for name, there in (("base", self.base), ("production", self.production)) if there]
        return f"{path}?{urlencode([*models, *self.items.query({'against': self.against, **changes})])}"

    def api_address(self, path: str, against: str, **more: str) -> str:
        """The same comparison by the API, which includes the base model unless it is told otherwise."""
        flags = [("base", str(self.base).lower()), ("production", str(self.production).lower())]
        models = [("of", name) for name in self.of]
        return f"{path}?{urlencode([*models, *flags, ('against', against), *more.items()])}"

    def request(self, key: Key) -> ComparisonRequest:
        return ComparisonRequest(
            self.of,
            self.base,
            self.production,
            lambda evaluation: key.owns(evaluation.done.candidate.owner),
            self.against,
        )


def _choice(
    of: Annotated[list[str] | None, Parameter(max_items=100)] = None,
    base: FromQuery[bool] = False,
    production: FromQuery[bool] = False,
    against: Text = "",
    model: Text = "",
    task: Annotated[str | None, Parameter(max_length=64)] = None,
    which: FromQuery[ItemFilter | Literal[""]] = "",
    page: Annotated[int, Parameter(ge=1, le=100_000)] = 1,
    item: Text = "",
) -> Choice:
    checkpoints = tuple(dict.fromkeys(of or []))
    # A single checkpoint is compared with its base model.
    alone = len(checkpoints) == 1 and not production
    return Choice(checkpoints, base or alone, production, against, ItemChoice(model, task, which, page, item))


@get("/compare", dependencies={"choice": Provide(_choice, sync_to_thread=False)})
async def compare(
    request: AnyRequest, comparisons: NamedDependency[Comparisons], choice: NamedDependency[Choice]
) -> Response[bytes]:
    """The page; what cannot be compared is named, with links that leave one model out."""
    if choice.count > MAX_SHOWN:
        return _refused(request, choice, "too_many")
    if not choice.of:
        return _refused(request, choice, "none")
    try:
        found = await comparisons.complete(choice.request(request.state.key))
    except NotComparable as error:
        return _refused(request, choice, "refused", str(error))
    view = ComparisonView(found, choice.items, checkpoints=True)
    values: dict[str, Any] = {
        "choice": choice,
        "view": view,
        "first": found.candidates[choice.of[0]],
        "lacks_production": choice.production and "production" not in found.figures.models,
    }
    return PAGES.page(request, "compare.html.j2", at="evaluate", **values)


@get("/compare/export", dependencies={"choice": Provide(_choice, sync_to_thread=False)})
async def export(
    request: AnyRequest,
    comparisons: NamedDependency[Comparisons],
    choice: NamedDependency[Choice],
    format: FromQuery[Literal["csv", "xlsx"]] = "xlsx",
) -> Response[bytes]:
    """The same comparison as a file."""
    try:
        content = await comparisons.export(choice.request(request.state.key), format)
    except NotComparable as error:
        return _refused(request, choice, "refused", str(error))
    headers = {"content-disposition": f'attachment; filename="comparison.{format}"'}
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)


def _refused(request: AnyRequest, choice: Choice, why: str, words: str = "") -> Response[bytes]:
    values: dict[str, Any] = {"choice": choice, "why": why, "words": words, "most": MAX_SHOWN}
    return PAGES.page(request, "compare_refused.html.j2", status=422, at="evaluate", **values)

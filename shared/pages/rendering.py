"""Renders a service's templates within the shared layout, as pages and as fragments for htmx."""

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie

from shared.pages import formats, headers, marks
from shared.pages.catalogs import LANGUAGES, SHARED, Language, translations
from shared.pages.people import naming
from shared.pages.reader import LANGUAGE_COOKIE, AnyRequest, Reader, asked_language, reader_of
from shared.pages.sections import sections
from shared.pages.static_files import static_url

_GZIP_FROM_BYTES = 1024
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Pages:
    """The pages of one service: `folder` holds `templates/` and `translations/`. Templates escape what they show."""

    service: str
    folder: Path
    _environments: dict[Language, Environment] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_environments", {language: self._environment(language) for language in LANGUAGES})

    def __deepcopy__(self, _memo: Any) -> "Pages":
        # Litestar copies handlers with all they refer to; templates cannot be copied and need not be.
        return self

    def page(self, request: AnyRequest, template: str, *, status: int = 200, **values: Any) -> Response[bytes]:
        """A whole page. The template extends `base.html.j2`; `values` are its variables."""
        response = self._respond(request, template, status, values)
        if language := asked_language(request):
            response.set_cookie(Cookie(LANGUAGE_COOKIE, value=language, max_age=_YEAR_S, samesite="strict"))
        return response

    def fragment(self, request: AnyRequest, template: str, *, status: int = 200, **values: Any) -> Response[bytes]:
        """A part of a page, which htmx swaps in. The template extends nothing."""
        return self._respond(request, template, status, values)

    def render(self, reader: Reader, template: str, **values: Any) -> str:
        """The markup alone, for instance for the data of a server-sent event."""
        return self._environments[reader.language].get_template(template).render(reader=reader, **values)

    def _respond(self, request: AnyRequest, template: str, status: int, values: dict[str, Any]) -> Response[bytes]:
        reader = reader_of(request)
        content = self.render(
            reader,
            template,
            path=request.url.path,
            origin=origin(request),
            sections=sections(reader),
            person=naming(request),
            **values,
        ).encode()
        return html(request, content, status)

    def _environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader([self.folder / "templates", SHARED / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True
        words = translations(language, self.folder)
        environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
        drawn = (marks.whisker, marks.dots, marks.bullet, marks.bar, marks.share_bar, marks.stacked, marks.strip)
        given: dict[str, Any] = {mark.__name__: mark for mark in drawn}
        cast(dict[str, Any], environment.globals).update(given, static=static_url, language=language)
        environment.filters.update(formats.filters(language))
        return environment


def html(request: AnyRequest, content: bytes, status: int = 200) -> Response[bytes]:
    """A response with the security headers, compressed where the browser takes that."""
    sent = dict(headers.PAGE)
    if len(content) >= _GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, compresslevel=6, mtime=0)
        sent["content-encoding"] = "gzip"
    return Response(content, status_code=status, media_type="text/html", headers=sent)


def origin(request: AnyRequest) -> str:
    """Scheme and host as the browser wrote them, for the API calls that a page shows."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    return f"{scheme}://{request.headers.get('host', request.url.netloc)}"


def is_fragment(request: AnyRequest) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true"

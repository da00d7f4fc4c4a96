"""Who reads a page: name and scopes, language and theme, from the session, the cookies and the headers."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from litestar import Request

from shared.pages.catalogs import LANGUAGES, Language
from shared.security import Key

Theme = Literal["light", "dark", ""]
LANGUAGE_COOKIE = "assay_language"
THEME_COOKIE = "assay_theme"
AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class Reader:
    """The person in front of the page. `key` is None before sign-in; theme "" follows the system."""

    key: Key | None
    language: Language
    theme: Theme

    @property
    def name(self) -> str:
        return self.key.name if self.key else ""

    def may(self, scope: str) -> bool:
        """Whether the reader has a scope; "" asks for none."""
        return self.key is not None and (not scope or self.key.allows(cast(Any, scope)))


def reader_of(request: AnyRequest) -> Reader:
    """The reader of a request; a `language` in the query wins over the cookie, and that over the browser's."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return Reader(
        key=getattr(request.state, "key", None),
        language=asked_language(request) or _known(request.cookies.get(LANGUAGE_COOKIE)) or _accepted(request),
        theme=cast(Theme, theme) if theme in ("light", "dark") else "",
    )


def asked_language(request: AnyRequest) -> Language | None:
    """The language that the query asks for, as the link in the head of each page does."""
    return _known(request.query_params.get("language"))


def _known(language: str | None) -> Language | None:
    return language if language in LANGUAGES else None


def _accepted(request: AnyRequest) -> Language:
    """The first language of `Accept-Language` that there is; browsers send them by preference."""
    for part in request.headers.get("accept-language", "").split(","):
        if language := _known(part.split(";")[0].strip().lower().partition("-")[0]):
            return language
    return "en"

"""Pages of the console: layout, components, words in two languages, static files. README.md shows how to add one."""

from shared.pages.reader import Reader, reader_of
from shared.pages.rendering import Pages, is_fragment, origin
from shared.pages.router import error_pages, pages_router, signed_in

__all__ = ["Pages", "Reader", "error_pages", "is_fragment", "origin", "pages_router", "reader_of", "signed_in"]

"""Pages of the console: layout, components, words in two languages, static files. README.md shows how to add one."""

from shared.pages.rendering import Pages, is_fragment, origin
from shared.pages.router import error_pages, pages_router, signed_in

__all__ = ["Pages", "error_pages", "is_fragment", "origin", "pages_router", "signed_in"]

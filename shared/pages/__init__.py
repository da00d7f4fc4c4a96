"""Pages of the console: layout, components, words in two languages, static files. README.md shows how to add one."""

from shared.pages.rendering import Pages, is_fragment
from shared.pages.router import pages_router

__all__ = ["Pages", "is_fragment", "pages_router"]

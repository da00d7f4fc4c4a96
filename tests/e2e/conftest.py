"""A browser for the pages of the real stack."""

from tests.browser.conftest import browser, page

__all__ = ["browser", "page"]

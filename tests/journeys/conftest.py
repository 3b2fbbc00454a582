"""The browser's fixtures, for journeys that need one."""

from tests.support.browser import browser, page

__all__ = ["browser", "page"]

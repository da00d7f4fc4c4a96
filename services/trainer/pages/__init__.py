"""The trainer's pages: the list of jobs, and one run with its curve."""

from pathlib import Path

from shared.pages import Pages

PAGES = Pages("trainer", Path(__file__).parent)

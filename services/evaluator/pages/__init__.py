"""The evaluator's pages: evaluated checkpoints, comparisons, suites."""

from pathlib import Path

from shared.pages import Pages

PAGES = Pages("evaluator", Path(__file__).parent)

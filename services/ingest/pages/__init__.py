"""Ingest's pages: datasets, uploads, prompt templates."""

from pathlib import Path

from shared.pages import Pages

PAGES = Pages("ingest", Path(__file__).parent)

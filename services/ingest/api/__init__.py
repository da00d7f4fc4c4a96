"""Ingest by HTTP: datasets, their rows and findings, exports, templates."""

from services.ingest.api.access import PROBLEMS
from services.ingest.api.datasets import datasets_router
from services.ingest.api.templates import templates_router

routes = [datasets_router, templates_router]

__all__ = ["PROBLEMS", "routes"]

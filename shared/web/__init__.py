"""HTTP as every service offers it: health, readiness, metrics, OpenAPI, API keys, problem details, traces."""

from shared.web.application import build
from shared.web.audit import AuditMiddleware
from shared.web.background import background, beside
from shared.web.guard import AnyConnection, allow, authenticate
from shared.web.lifespan import Lifespan, connections
from shared.web.problem_details import NotFound, Unavailable, problem
from shared.web.server import serve

__all__ = [
    "AnyConnection",
    "AuditMiddleware",
    "Lifespan",
    "NotFound",
    "Unavailable",
    "allow",
    "authenticate",
    "background",
    "beside",
    "build",
    "connections",
    "problem",
    "serve",
]

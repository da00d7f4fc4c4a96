"""JSON logs, and the W3C trace context that follows a job through every service."""

import logging
import re
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

import structlog

_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def configure(service: str, instance: str, level: str) -> None:
    """Write every log line, including those of libraries, to standard error as a JSON object."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _name_the_trace,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                _name_the_service(service, instance),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in ("httpx", "httpcore", "pymongo", "motor", "nats", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def configure_command() -> None:
    """Write log lines for people to standard error: the standard output of a command is its result."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields."""
    return structlog.stdlib.get_logger(name)


def described(error: Exception, *expected: type[Exception]) -> dict[str, Any]:
    """The fields of a log line about an error: in one line if it is expected, with its traceback otherwise."""
    return {"error": f"{type(error).__name__}: {error}"} if isinstance(error, expected) else {"exc_info": error}


def current_traceparent() -> str:
    """The current trace context, or a new one."""
    return _traceparent.get() or _new_traceparent()


def known_traceparent() -> str | None:
    """The current trace context, None outside of a trace."""
    return _traceparent.get()


def trace_id_of(traceparent: str) -> str:
    return traceparent[3:35]


def begin(traceparent: str | None) -> str:
    """Continue a trace for the rest of this task, or start one if `traceparent` is missing or malformed; its id."""
    return _begin(traceparent)[0]


@contextmanager
def trace(traceparent: str | None, **fields: Any) -> Generator[str]:
    """The same for one block; `fields` are added to every log line."""
    trace_id, token = _begin(traceparent)
    try:
        with structlog.contextvars.bound_contextvars(**fields):
            yield trace_id
    finally:
        _traceparent.reset(token)


def _begin(traceparent: str | None) -> tuple[str, Token[str | None]]:
    known = traceparent if traceparent and _TRACEPARENT.match(traceparent) else _new_traceparent()
    return trace_id_of(known), _traceparent.set(known)


def _new_traceparent() -> str:
    drawn = secrets.token_hex(24)
    return f"00-{drawn[:32]}-{drawn[32:]}-01"


def _name_the_trace(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # Looked up only when a line is written, because most requests write none.
    if traceparent := _traceparent.get():
        event.setdefault("trace_id", trace_id_of(traceparent))
    return event


def _name_the_service(service: str, instance: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, "instance": instance or service, **event}

    return add

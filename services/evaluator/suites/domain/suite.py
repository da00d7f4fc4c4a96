"""A suite: tasks under one name."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.evaluator.suites.domain.task import LONGEST_NAME, NAME

MAX_TASKS = 100


class SuiteContent(BaseModel):
    """A suite before its tasks are checked; each task is checked separately, so that one bad task does no harm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(default="", max_length=4000)
    tasks: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MAX_TASKS)


class Suite(SuiteContent):
    """A named suite. One from a file has revision 0; each change by HTTP is the next revision."""

    name: str = Field(pattern=NAME)
    revision: int = Field(default=0, ge=0)


def task_names(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of each task in reports, also if its own is missing or not unique."""
    found: list[str] = []
    for place, raw in enumerate(tasks, start=1):
        name = raw.get("name")
        usable = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name not in found
        found.append(str(name) if usable else f"task-{place}")
    return found

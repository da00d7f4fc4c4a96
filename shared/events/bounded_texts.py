"""Texts in events, each with the most bytes that are published."""

from typing import Annotated

from pydantic import Field

from shared.bounds import MaxBytes

Id = Annotated[str, MaxBytes(128)]
"""The id of a file, job, key, review, version or replica."""
Name = Annotated[str, MaxBytes(512)]
"""The name of a model, a suite or a policy."""
Metric = Annotated[str, MaxBytes(128)]
"""The name of a metric or a task, such as `<suite>.<task>.<metric>`."""
Uri = Annotated[str, MaxBytes(1024)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), MaxBytes(64)]
Label = Annotated[str, MaxBytes(64)]
"""A word of a small vocabulary: a code, a method, a test."""
Reason = Annotated[str, MaxBytes(1000, cut=True)]
"""Why something happened, for people; a longer text is cut."""
Suffix = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), MaxBytes(64)]

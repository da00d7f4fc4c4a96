"""Values that several events carry."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.bounds import MaxBytes
from shared.events.bounded_texts import Label, Name, Reason, Sha256, Uri


class Value(BaseModel):
    """A part of an event: immutable, compared by value."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Artifact(Value):
    """A reference to an artifact: its fsspec URL, digest and size.

    For a folder, `uri` and `sha256` are those of its manifest, and `bytes` is the sum of its files.
    """

    uri: Uri
    sha256: Sha256
    bytes: int = Field(ge=0)


class Split(Value):
    """One part of a dataset, as JSON Lines of `{"messages": [...]}`."""

    artifact: Artifact
    rows: int


class Splits(Value):
    """A dataset's three disjoint parts."""

    train: Split
    validation: Split
    test: Split


class RowError(Value):
    """Why one line of an uploaded file was refused, and what to do.

    `line` counts from 1; it is 0 for the file as a whole. `cell` names a spreadsheet's cell, `code` is for machines.
    """

    line: int
    field: Annotated[str, MaxBytes(256, cut=True)]
    reason: Annotated[str, MaxBytes(512, cut=True)]
    code: Label = ""
    cell: Label = ""
    fix: Annotated[str, MaxBytes(512, cut=True)] = ""


class Failure(Value):
    """Why something ended badly, in the shape of OpenAI's job error."""

    code: Label
    message: Reason
    param: Name | None = None

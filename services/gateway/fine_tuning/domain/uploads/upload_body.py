"""The bodies of requests about uploads in parts."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.validation import bad_request
from services.gateway.fine_tuning.domain.upload_request import UploadRequest, check_field, check_text

Md5 = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9a-fA-F]{32}$")]


class UploadBody(UploadRequest):
    """The body of `POST /v1/uploads`: OpenAI's parameters, and those of `POST /v1/files`."""

    bytes: int = Field(ge=1, le=2**53, strict=True)
    """Of the whole file."""
    filename: str = Field(min_length=1, max_length=1024)
    mime_type: str = Field(default="", max_length=256)
    """Not used: the format is detected from the content."""

    @property
    def file_request(self) -> UploadRequest:
        """What the file is uploaded with."""
        return UploadRequest.model_construct(**{name: getattr(self, name) for name in UploadRequest.model_fields})


class Completion(BaseModel):
    """The body of `POST /v1/uploads/{id}/complete`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part_ids: tuple[Annotated[str, Field(max_length=100)], ...] = Field(min_length=1, max_length=1000)
    """In the order of the file."""
    md5: Md5 | None = None


def read_body(body: Any) -> str:
    """The checked body of a new upload as JSON; raises `BadRequest` that names the first wrong parameter."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.", code="invalid_json")
    for name, value in body.items():
        if name not in UploadBody.model_fields:
            check_field(name)
        check_text(name, json.dumps(value))
    given = {name: value for name, value in body.items() if value is not None}
    try:
        asked = UploadBody.model_validate(given)
    except ValidationError as error:
        raise bad_request(error) from None
    return asked.model_dump_json(exclude_unset=True)


def read_completion(body: Any) -> Completion:
    """Raises `BadRequest` that names the first wrong parameter."""
    try:
        return Completion.model_validate(body)
    except ValidationError as error:
        raise bad_request(error) from None


def check_part_field(name: str) -> None:
    """A part is sent alone; raises `BadRequest`."""
    raise BadRequest(f"Unknown parameter: {name!r:.100}.", param=name[:100], code="unknown_parameter")

"""What a caller says about an uploaded file: OpenAI's parameters, and Assay's beside them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.validation import bad_request
from services.gateway.fine_tuning.domain.template_name import template_ref
from shared.events import TemplateRef, UploadOptions

Purpose = Literal["fine-tune"]
[PURPOSE] = get_args(Purpose)
# A form cannot easily hold a tab.
_TABS = {"\\t": "\t", "tab": "\t"}


def _delimiter(text: Any) -> Any:
    return _TABS.get(text, text) if isinstance(text, str) else text


def _mapping(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise ValueError(
            'must be a JSON object that names a field for a column, such as {"question": "prompt"}'
        ) from None


def _template(text: Any) -> Any:
    return template_ref(text) if isinstance(text, str) else text


class UploadRequest(BaseModel):
    """The form fields of `POST /v1/files` beside the file. A field that is left out is detected by ingest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: Purpose
    on_error: Literal["reject", "drop"] = "reject"
    """Whether one bad row refuses the file, or is left out of the data set."""
    dataset: str = Field(default="", max_length=64)
    """The series of data sets that this file is the next version of."""
    split_seed: int = Field(default=0, ge=0, le=2**31 - 1)
    format: str = Field(default="", max_length=20)
    encoding: str = Field(default="", max_length=40)
    delimiter: Annotated[str, BeforeValidator(_delimiter)] = Field(default="", max_length=1)
    sheet: str = Field(default="", max_length=100)
    shape: str = Field(default="", max_length=40)
    mapping: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(min_length=1, max_length=200)]],
        BeforeValidator(_mapping),
    ] = Field(default_factory=dict, max_length=50)
    group: str = Field(default="", max_length=200)
    validation_share: float = Field(default=0.1, ge=0, le=0.45)
    test_share: float = Field(default=0.1, ge=0, le=0.45)
    template: Annotated[TemplateRef | None, BeforeValidator(_template)] = None

    @property
    def drop_bad_rows(self) -> bool:
        return self.on_error == "drop"

    @property
    def options(self) -> UploadOptions:
        return UploadOptions(**{name: getattr(self, name) for name in UploadOptions.model_fields})


FIELDS = frozenset(UploadRequest.model_fields)


def check_field(name: str) -> None:
    """Refuse a form field that is not known; raises `BadRequest` with its name."""
    if name.partition("[")[0] == "expires_after":
        message = "'expires_after' is not supported: files are kept until they are deleted. Leave it out."
        raise BadRequest(message, param="expires_after", code="unsupported_parameter")
    if name not in FIELDS:
        raise BadRequest(f"Unknown parameter: {name!r:.100}.", param=name[:100], code="unknown_parameter")


def check_text(name: str, text: str) -> None:
    """Refuse a NUL, also one that is escaped in JSON; raises `BadRequest`."""
    if "\x00" in text or "\\u0000" in text:
        raise BadRequest(f"{name!r} holds a NUL character.", param=name, code="invalid_value")


def read(fields: Mapping[str, str]) -> UploadRequest:
    """Check the form's fields, an empty one being left out; raises `BadRequest` that names the first wrong one."""
    for name, text in fields.items():
        check_text(name, text)
    try:
        return UploadRequest.model_validate({name: text for name, text in fields.items() if text})
    except ValidationError as error:
        raise bad_request(error) from None

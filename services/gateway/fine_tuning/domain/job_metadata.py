"""What Assay reads of a job's metadata. The other pairs are kept as they are."""

import re
from collections.abc import Mapping

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from services.gateway.fine_tuning.domain.template_name import template_ref
from shared.events import Decoding, TemplateRef

_MAX_POLICY_CHARS = 64
_PRIORITY = re.compile(r"-?(100|[0-9]{1,2})")
_DECODING = {
    "max_tokens": "'max_tokens' must be a whole number of at least 1",
    "temperature": "'temperature' must be a number from 0 to 2",
    "stop": "'stop' must be a text of at most 200 characters, or a JSON array of up to four of them",
}


class JobMetadata(BaseModel):
    """The pairs `policy`, `priority`, `template`, `allow_contaminated`, `max_tokens`, `temperature` and `stop`."""

    model_config = ConfigDict(frozen=True)

    policy: str | None = None
    priority: int = 0
    template: TemplateRef | None = None
    decoding: Decoding | None = None
    allow_contaminated: bool = False


def read(pairs: Mapping[str, str]) -> JobMetadata:
    """Raises `ValueError` that names the wrong pair."""
    if not 1 <= len(pairs.get("policy", "default")) <= _MAX_POLICY_CHARS:
        raise ValueError(f"'policy' must be the name of a policy, 1 to {_MAX_POLICY_CHARS} characters")
    if not _PRIORITY.fullmatch(pairs.get("priority", "0")):
        raise ValueError("'priority' must be a whole number from -100 to 100")
    if (allowed := pairs.get("allow_contaminated", "false")) not in ("true", "false"):
        raise ValueError("'allow_contaminated' must be true or false")
    return JobMetadata(
        policy=pairs.get("policy"),
        priority=int(pairs.get("priority", 0)),
        template=_template(pairs.get("template")),
        decoding=_decoding(pairs),
        allow_contaminated=allowed == "true",
    )


def _template(text: str | None) -> TemplateRef | None:
    try:
        return None if text is None else template_ref(text)
    except ValueError as error:
        raise ValueError(f"'template' {error}") from None


def _decoding(pairs: Mapping[str, str]) -> Decoding | None:
    """The decoding that the job asks for, which takes the place of the template's."""
    asked = {name: pairs[name] for name in _DECODING if name in pairs}
    try:
        return Decoding.model_validate({**asked, **_stop(asked.get("stop"))}) if asked else None
    except ValidationError as error:
        raise ValueError(_DECODING[str(error.errors()[0]["loc"][0])]) from None


def _stop(text: str | None) -> dict[str, list[str]]:
    if text is None:
        return {}
    try:
        return {"stop": msgspec.json.decode(text, type=list[str])}
    except msgspec.DecodeError:
        return {"stop": [text]}

"""The form that makes a version of a template: what was typed, and the template that it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from services.ingest.domain.template_version import TemplateRefused, with_fields
from shared.events import PromptTemplate

START = "{input}"


@dataclass(frozen=True)
class TemplateForm:
    """The texts of all fields, as they were typed."""

    name: str = ""
    system: str = ""
    user: str = START
    caller_system: str = "append"
    max_tokens: str = ""
    temperature: str = ""
    stop: str = ""
    dataset: str = ""
    """The dataset whose rows the sample shows."""
    problems: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, template: PromptTemplate) -> "TemplateForm":
        """The fields of a version that is there."""
        decoding = template.decoding
        return cls(
            name=template.name,
            system=template.system,
            user=template.user,
            caller_system=template.caller_system,
            max_tokens="" if decoding.max_tokens is None else str(decoding.max_tokens),
            temperature="" if decoding.temperature is None else f"{decoding.temperature:g}",
            stop="\n".join(decoding.stop),
        )

    @classmethod
    def read(cls, form: Mapping[str, Any]) -> "TemplateForm":
        """What a browser sent; its line ends are CR LF."""
        names = ("name", "system", "user", "caller_system", "max_tokens", "temperature", "stop", "dataset")
        typed: dict[str, Any] = {name: str(form.get(name, "")).replace("\r\n", "\n") for name in names}
        return cls(**typed)

    def template(self) -> PromptTemplate:
        """Raises `TemplateRefused` with all that is wrong."""
        decoding = {
            "max_tokens": self.max_tokens.strip() or None,
            "temperature": self.temperature.strip() or None,
            "stop": [line for line in self.stop.split("\n") if line],
        }
        try:
            made = PromptTemplate.model_validate(
                {
                    "name": self.name.strip(),
                    "version": 1,
                    "system": self.system,
                    "user": self.user,
                    "caller_system": self.caller_system,
                    "decoding": decoding,
                }
            )
        except ValidationError as error:
            raise TemplateRefused("; ".join(_sentence(found) for found in error.errors())) from None
        return with_fields(made, None)


def _sentence(found: Any) -> str:
    place = ".".join(str(part) for part in found["loc"] if part != "decoding")
    return f"{place}: {found['msg']}"

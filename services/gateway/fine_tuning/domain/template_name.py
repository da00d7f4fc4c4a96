"""How a caller names a version of a prompt template."""

import re

from shared.events import TemplateRef

_TEMPLATE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?::([0-9]{1,6}))?")


def template_ref(text: str) -> TemplateRef:
    """The template in `name` or `name:version`; without a version the newest. Raises `ValueError`."""
    found = _TEMPLATE.fullmatch(text)
    if found is None:
        raise ValueError("must be the name of a template, or name:version")
    return TemplateRef(name=found[1], version=int(found[2] or 0))

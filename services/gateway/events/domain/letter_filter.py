"""Which dead letters are listed or replayed."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class LetterFilter(BaseModel):
    """Those of an event type, of a consumer, or of both; "" is any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = ""
    consumer: str = ""

    def matches(self, consumer: str, event: Any) -> bool:
        found = event.get("type") if isinstance(event, dict) else None
        return self.type in ("", found) and self.consumer in ("", consumer)

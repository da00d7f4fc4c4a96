"""How far the event stream was read."""

from pydantic import BaseModel


class StreamPosition(BaseModel):
    """How far the stream of events was read for webhooks."""

    id: str
    place: int

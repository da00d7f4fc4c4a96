"""The event contract as an AsyncAPI document, generated from `shared/events/`."""

import json
import sys
from typing import Any, Generic, TypeVar

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI
from pydantic import create_model

from shared.cloudevents import CONTENT_TYPE, Envelope, EventData
from shared.events import EVENTS

D = TypeVar("D", bound=EventData)


class Event(Envelope, Generic[D]):
    """A CloudEvent with typed data."""

    data: D  # type: ignore[assignment]


def document() -> dict[str, Any]:
    """AsyncAPI 3.0 with one channel per event type; each message is a CloudEvent in structured mode."""
    broker = NatsBroker()
    for name, event in sorted(EVENTS.items()):
        schema = create_model(f"{event.__name__}Event", __base__=Event[event], __doc__=event.__doc__)
        broker.publisher(name, title=name, description=event.__doc__, schema=schema)
    specification = AsyncAPI(
        broker, title="Assay events", version="1.0.0", description=f"Each message is `{CONTENT_TYPE}`."
    )
    return json.loads(specification.to_specification().to_json())


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")

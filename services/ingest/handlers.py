"""The events that ingest hears."""

from services.ingest.service import Datasets
from shared.bus import Bus
from shared.events import DatasetUploaded


def subscribe(bus: Bus, datasets: Datasets) -> None:
    """One use case for each event."""
    bus.subscribe(DatasetUploaded, datasets.check)

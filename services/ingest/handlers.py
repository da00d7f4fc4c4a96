"""The events that ingest handles."""

from services.ingest.service.datasets import Datasets
from shared.bus import Bus
from shared.events import DatasetUploaded


def subscribe(bus: Bus, datasets: Datasets) -> None:
    """One use case for each event."""
    bus.subscribe(DatasetUploaded, datasets.check)

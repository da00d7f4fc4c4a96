"""The events that evaluator hears."""

from services.evaluator.service.agreements import Agreements
from services.evaluator.service.evaluations import Evaluations
from shared.bus import Bus
from shared.events import CheckpointSaved, ModelDeployed, ModelRolledBack, ReviewScored


def subscribe(bus: Bus, evaluations: Evaluations, agreements: Agreements) -> None:
    """One use case for each event."""
    bus.subscribe(CheckpointSaved, evaluations.evaluate)
    bus.subscribe(ModelDeployed, evaluations.deployed)
    bus.subscribe(ModelRolledBack, evaluations.rolled_back)
    bus.subscribe(ReviewScored, agreements.reviewed)

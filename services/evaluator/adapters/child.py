"""Scoring in a child process, so that metrics on long texts stop no heartbeat and a crash takes nothing with it."""

from dataclasses import dataclass

from services.evaluator.config import Settings
from services.evaluator.domain.results import Scored, Target
from services.evaluator.domain.suite import CannotBeScored
from services.evaluator.ports import EngineUnavailable
from shared.child import Child

MODULE = "services.evaluator.job"


@dataclass(frozen=True)
class ChildScorer:
    """Starts one child a target; the child ends with this process, and when the work is cancelled."""

    settings: Settings

    async def score(self, target: Target) -> Scored:
        request = {"settings": self.settings.model_dump(mode="json"), "target": target.model_dump(mode="json")}
        child = await Child.start(MODULE, request)
        try:
            outcomes = [message async for message in child.messages()]
        finally:
            await child.kill()
        return _scored(outcomes[-1] if outcomes else {})


def _scored(outcome: dict[str, object]) -> Scored:
    if outcome.get("scored"):
        return Scored.model_validate(outcome["scored"])
    failure = outcome.get("failure")
    if isinstance(failure, dict):
        raise CannotBeScored(failure["code"], failure["message"])
    raise EngineUnavailable(str(outcome.get("unavailable") or "the scoring ended without an outcome"))

"""A person's decision in place of the verdict."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.review.ownership import Caller, NotOwner
from services.review.panels.domain.review import OwnJob, WrongState, review_id
from services.review.policies.domain.evidence import Override
from services.review.runs.deciding import Runs
from services.review.runs.domain.run import Run
from shared.cloudevents import EventData


@dataclass(frozen=True)
class Overriding:
    """The use case of an override."""

    runs: Runs
    now: Callable[[], float] = time.time

    async def override(self, job_id: str, approved: bool, reason: str, caller: Caller) -> Run:
        """Replace the verdict; an open review ends. Raises `NotOwner`, `OwnJob` or `WrongState`."""
        run = await self.runs.required(job_id)
        evaluation = await self.runs.evaluations.basis(run)
        _require_overrider(run, caller)
        if evaluation is None or run.policy is None:
            raise WrongState("no checkpoint has been chosen yet; override the verdict after that")
        if run.status == "proving":
            raise WrongState("the chosen checkpoint is being asked the test split; wait for the result, then decide")
        override = Override(approved=approved, by=caller.id, reason=reason, at=int(self.now()))

        def apply(known: Run) -> tuple[Run, Sequence[EventData]] | None:
            same = known.override is not None and known.override.approved == approved
            return None if same else known.overridden(evaluation, override)

        changed = await self.runs.runs.change(job_id, apply) or run
        if changed.candidate is not None:
            why = f"the verdict was overridden: {reason}"
            await self.runs.end_review(review_id(changed.candidate), "cancelled", why, caller.id)
        await self.runs.supersede_older(changed)
        return changed


def _require_overrider(run: Run, caller: Caller) -> None:
    allowed = caller.admin or (run.policy is not None and not caller.ids.isdisjoint(run.policy.overriders))
    if not allowed:
        raise NotOwner("only the policy's overriders and keys with the scope 'admin' can override a verdict")
    if run.policy is not None and not run.policy.own_job and run.owner in caller.ids:
        raise OwnJob(f"the policy {run.policy.name!r} does not allow people to decide over their own job")

"""Gathers what is known of a job, chooses a checkpoint when it is complete, and gives the verdict."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.review.ownership import Caller, NotOwner
from services.review.panels.domain.review import OwnJob, Review, WrongState
from services.review.policies.catalog import PolicyCatalog
from services.review.policies.domain.evidence import HumanEvidence, Override
from services.review.policies.domain.policy import Policy, PolicyContent
from services.review.policies.domain.verdict import Ruling, decide, judge_gates
from services.review.runs.domain.advice import Advice, Movement, advise, movement
from services.review.runs.domain.run import Run, choose
from services.review.runs.domain.standing import production_standing, standing
from shared.cloudevents import EventData
from shared.events import EvalDone, EvaluationAnswered, TrainingFinished, TrainingRequested
from shared.store import Collection, Entity

DECIDED = ("approved", "rejected", "undecided")
Opener = Callable[[Run, EvalDone], Awaitable[str | None]]
Answerer = Callable[[EvaluationAnswered], Awaitable[tuple[str, str | None] | None]]


class EvaluationRecord(Entity):
    """One evaluation of one checkpoint; `id` is job and step, with `/proof` for the one on the test split."""

    job_id: str
    done: EvalDone


@dataclass(frozen=True)
class Trial:
    """What a policy would have decided about a past run, beside what was decided."""

    job_id: str
    decided: Ruling | None
    would: Ruling


@dataclass(frozen=True)
class Runs:
    """The use cases over runs. `open_review` opens the review of a chosen checkpoint, and says why it cannot;
    `answered` does so with the answers to a question set."""

    runs: Collection[Run]
    evaluations: Collection[EvaluationRecord]
    catalog: PolicyCatalog
    open_review: Opener
    answered: Answerer
    now: Callable[[], float] = time.time

    async def requested(self, event: TrainingRequested) -> None:
        """A job was created: its policy is pinned."""
        alias, asked = event.spec.suffix or "", event.spec.policy
        changes = {"owner": event.owner, "alias": alias, "asked_policy": asked}
        await self._learn(event.job_id, lambda run: run.model_copy(update=changes))

    async def evaluated(self, event: EvalDone) -> None:
        """A checkpoint was scored; its first evaluation counts."""
        candidate = event.candidate
        record = EvaluationRecord(
            id=evaluation_id(candidate.job_id, candidate.step), job_id=candidate.job_id, done=event
        )
        await self.evaluations.create(record)
        await self._learn(candidate.job_id, lambda run: run.evaluated(candidate))

    async def finished(self, event: TrainingFinished) -> None:
        """A training ended."""
        await self._learn(event.job_id, lambda run: run.finished(event))

    async def questions_answered(self, event: EvaluationAnswered) -> None:
        """A checkpoint answered a question set: its review is opened."""
        found = await self.answered(event)
        if found is not None and found[1] is not None:
            await self._refuse(await self._required(found[0]), f"people cannot review it: {found[1]}")

    async def get(self, job_id: str) -> Run | None:
        """What is known and decided of a job."""
        return await self.runs.get(job_id)

    async def evaluation(self, run: Run) -> EvalDone | None:
        """The evaluation that the verdict rests on."""
        if run.chosen_step is None:
            return None
        found = await self.evaluations.get(evaluation_id(run.job_id, run.chosen_step))
        return found.done if found else None

    async def people_decided(self, review: Review, human: HumanEvidence | None, item_scores: dict[str, float]) -> None:
        """Give the verdict over people's evidence, once; a run that was decided meanwhile stays as it is."""
        run = await self._required(review.job_id)
        evaluation = await self.evaluation(run)
        assert evaluation is not None
        advice = await self.advice(run, evaluation, human)

        def decide_once(known: Run) -> tuple[Run, Sequence[EventData]] | None:
            if known.status != "in_review":
                return None
            changed = known.model_copy(update={"item_scores": item_scores})
            return changed.decided(evaluation, int(self.now()), human, advice)

        await self.runs.change(review.job_id, decide_once)

    async def advice(self, run: Run, evaluation: EvalDone, human: HumanEvidence | None) -> Advice | None:
        """What the scores mean beside those of the last reviewed version of the name and of production."""
        past = await self.runs.find(alias=run.alias, status__in=DECIDED, newest_first="decided_at", limit=50)
        before = next((each for each in past if each.human and each.job_id != run.job_id), None)
        movements: list[Movement] = []
        now = standing(run, evaluation, human)
        if before is not None and (known := await self.evaluation(before)) is not None:
            movements.append(movement(standing(before, known, before.human), now, "the last reviewed version"))
        if evaluation.production is not None:
            served = next((e for e in past if e.candidate and e.candidate.version == evaluation.production), None)
            then = production_standing(evaluation, served.human if served else None, run.rank_by)
            movements.append(movement(then, now, "the version in production"))
        return advise(tuple(movements))

    async def reopened(self, job_id: str) -> None:
        """People score again: an undecided run goes back into review."""

        def reopen(run: Run) -> tuple[Run, Sequence[EventData]] | None:
            if run.status == "in_review":
                return None
            if run.status != "undecided":
                raise WrongState(f"the run is {run.status}: only an undecided one goes back into review")
            return run.model_copy(update={"status": "in_review"}), ()

        await self.runs.change(job_id, reopen)

    async def override(self, job_id: str, approved: bool, reason: str, caller: Caller) -> Run:
        """Replace the verdict by a person's decision; raises `NotOwner`, `OwnJob` or `WrongState`."""
        run = await self._required(job_id)
        evaluation = await self.evaluation(run)
        self._require_overrider(run, caller)
        if evaluation is None or run.policy is None:
            raise WrongState("there is no chosen checkpoint yet that a decision could be about")
        override = Override(approved=approved, by=caller.id, reason=reason, at=int(self.now()))

        def apply(known: Run) -> tuple[Run, Sequence[EventData]] | None:
            same = known.override is not None and known.override.approved == approved
            return None if same else known.overridden(evaluation, override)

        return await self.runs.change(job_id, apply) or run

    async def trial(self, content: PolicyContent, limit: int) -> list[Trial]:
        """What this policy would have decided about the newest decided runs."""
        policy = Policy(**content.model_dump(), name="trial")
        decided = await self.runs.find(status__in=DECIDED, newest_first="decided_at", limit=limit)
        trials: list[Trial] = []
        for run in decided:
            if chosen := choose(policy, await self._all_evaluations(run.job_id)):
                human = run.human if run.chosen_step == chosen[0].candidate.step else None
                trials.append(Trial(run.job_id, run.ruling, decide(policy, chosen[0], human)))
        return trials

    async def _learn(self, job_id: str, learn: Callable[[Run], Run]) -> None:
        def record(run: Run) -> tuple[Run, Sequence[EventData]] | None:
            changed = learn(run)
            return None if changed == run else (changed, ())

        run = await self._pin(await self.runs.upsert(Run(job_id=job_id), record))
        if run.complete:
            run = await self._choose(run)
        # Also after a redelivery: the process may have died between the choice and the review.
        if run.status == "in_review":
            await self._open(run)

    async def _pin(self, run: Run) -> Run:
        if run.policy is not None or not (run.owner or run.evaluated_steps):
            return run
        name, policy = await self.catalog.for_job(run.asked_policy, run.alias, run.owner)
        return await self.runs.change(run.id, lambda known: (known.pinned(name, policy), ())) or run

    async def _choose(self, run: Run) -> Run:
        if run.policy is None:
            name, run_policy = await self.catalog.for_job(run.asked_policy, run.alias, run.owner)
            run = await self.runs.change(run.id, lambda known: (known.pinned(name, run_policy), ())) or run
        if run.policy is None:
            return await self._refuse(run, f"there is no policy {run.policy_name!r} for this job")
        found = choose(run.policy, await self._all_evaluations(run.job_id))
        if found is None:
            return await self._refuse(run, "the training saved no checkpoint")
        evaluation, choice = found
        asks_people = run.policy.mode != "automatic" and all(r.passed for r in judge_gates(run.policy, evaluation))

        def apply(known: Run) -> tuple[Run, Sequence[EventData]] | None:
            if not known.complete:
                return None
            chosen = known.chosen(evaluation, choice, "in_review" if asks_people else "open")
            return (chosen, ()) if asks_people else chosen.decided(evaluation, int(self.now()))

        return await self.runs.change(run.id, apply) or run

    async def _open(self, run: Run) -> None:
        evaluation = await self.evaluation(run)
        assert evaluation is not None
        if reason := await self.open_review(run, evaluation):
            await self._refuse(run, f"people cannot review it: {reason}")

    async def _refuse(self, run: Run, reason: str) -> Run:
        def refuse(known: Run) -> tuple[Run, Sequence[EventData]] | None:
            undecided = known.complete or known.status == "in_review"
            return known.refused(reason, int(self.now())) if undecided else None

        return await self.runs.change(run.id, refuse) or run

    async def _all_evaluations(self, job_id: str) -> list[EvalDone]:
        found = await self.evaluations.find(job_id=job_id)
        return [each.done for each in found if not each.id.endswith("/proof")]

    async def _required(self, job_id: str) -> Run:
        run = await self.runs.get(job_id)
        if run is None:
            raise LookupError(f"there is no job {job_id!r}")
        return run

    def _require_overrider(self, run: Run, caller: Caller) -> None:
        allowed = caller.admin or (run.policy is not None and caller.id in run.policy.overriders)
        if not allowed:
            raise NotOwner("only admin and those whom the policy names as overriders may override a verdict")
        if run.policy is not None and not run.policy.own_job and caller.id == run.owner:
            raise OwnJob(f"the policy {run.policy.name!r} forbids that people decide over their own job")


def evaluation_id(job_id: str, step: int) -> str:
    """Where the evaluation of a checkpoint is stored."""
    return f"{job_id}/{step}"

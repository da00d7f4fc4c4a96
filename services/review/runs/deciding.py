"""Gathers what is known of a job, chooses a checkpoint when it is complete, has it proved, and gives the verdict."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.review.panels.domain.review import Review, Status, WrongState, questions_id, review_id
from services.review.policies.catalog import PolicyCatalog
from services.review.policies.domain.evidence import HumanEvidence
from services.review.policies.domain.verdict import judge_gates
from services.review.runs.advising import Advising
from services.review.runs.domain.advice import Advice
from services.review.runs.domain.choice import choose
from services.review.runs.domain.proof import needs_proof, proof_id, proof_request
from services.review.runs.domain.run import Run, UnknownRun
from services.review.runs.job_evaluations import PROOF, JobEvaluations
from services.review.runs.proving import Proving
from shared.cloudevents import EventData
from shared.events import EvalDone, EvaluationAnswered, TrainingFinished, TrainingRequested
from shared.store import Collection

WAITING = ("in_review", "undecided")
SYSTEM = "assay"
Opener = Callable[[Run, EvalDone], Awaitable[str | None]]
Answerer = Callable[[EvaluationAnswered], Awaitable[tuple[str, str | None] | None]]
Ender = Callable[[str, Status, str, str], Awaitable[None]]
Revision = Callable[[str], Awaitable[int | None]]
Changed = tuple[Run, Sequence[EventData]]


@dataclass(frozen=True)
class Runs:
    """The use cases of events about runs.

    `open_review` opens the review of a chosen checkpoint, and says why it cannot; `answered` does so with the answers
    to a question set; `end_review` ends one; `questions_revision` is the newest of a question set.
    """

    runs: Collection[Run]
    evaluations: JobEvaluations
    catalog: PolicyCatalog
    proving: Proving
    advising: Advising
    open_review: Opener
    answered: Answerer
    end_review: Ender
    questions_revision: Revision
    now: Callable[[], float] = time.time

    async def requested(self, event: TrainingRequested) -> None:
        """A job was created: its policy is pinned."""
        alias, asked = event.spec.suffix or "", event.spec.policy
        changes = {"owner": event.owner, "alias": alias, "asked_policy": asked}

        def learn(run: Run) -> Run:
            # After a replay, the order of the jobs of one name is that of their requests.
            heard_at = min(run.heard_at, event.requested_at or run.heard_at)
            return run.model_copy(update={**changes, "heard_at": heard_at})

        await self._learn(event.job_id, learn)

    async def evaluated(self, event: EvalDone) -> None:
        """A checkpoint was scored; its first evaluation counts."""
        await self.evaluations.add(event)
        await self._learn(event.candidate.job_id, lambda run: run.evaluated(event.candidate))

    async def finished(self, event: TrainingFinished) -> None:
        """A training ended."""
        await self._learn(event.job_id, lambda run: run.finished(event))

    async def evaluation_answered(self, event: EvaluationAnswered) -> None:
        """The chosen checkpoint answered the test split, or a question set."""
        run = await self.runs.get(event.job_id) if event.job_id else None
        if event.job_id:
            await self.evaluations.keep_answer(event)
        if run is not None and run.awaits(event.evaluation_id):
            await self._continue(run)
        elif run is not None and run.status != "in_review":
            # A person decided, or a newer version was approved, while the question set was answered.
            return
        elif (found := await self.answered(event)) is not None and found[1] is not None:
            await self._refuse(await self.required(found[0]), f"people cannot review it: {found[1]}")

    async def get(self, job_id: str) -> Run | None:
        """What is known and decided of a job."""
        return await self.runs.get(job_id)

    async def required(self, job_id: str) -> Run:
        """A run that must be there; raises `UnknownRun`."""
        run = await self.runs.get(job_id)
        if run is None:
            raise UnknownRun(f"there is no job {job_id!r} here")
        return run

    async def people_decided(self, review: Review, human: HumanEvidence | None, item_scores: dict[str, float]) -> None:
        """Give the verdict over people's evidence, once; a run that was decided meanwhile stays as it is."""
        run = await self.required(review.job_id)
        evaluation = await self.evaluations.basis(run)
        assert evaluation is not None
        advice = await self.advising.on(run, evaluation, human)

        def decide_once(known: Run) -> Changed | None:
            if known.status != "in_review":
                return None
            changed = known.model_copy(update={"item_scores": item_scores})
            return changed.decided(evaluation, int(self.now()), human, advice)

        await self.supersede_older(await self.runs.change(review.job_id, decide_once) or run)

    async def reopened(self, job_id: str) -> None:
        """People score again: an undecided run goes back into review."""

        def reopen(run: Run) -> Changed | None:
            if run.status == "in_review":
                return None
            if run.status != "undecided":
                raise WrongState(f"the run is {run.status}: only an undecided run can be reviewed again")
            return run.model_copy(update={"status": "in_review"}), ()

        await self.runs.change(job_id, reopen)

    async def supersede_older(self, run: Run) -> None:
        """End older jobs of the same name that wait for people, once a newer version was approved."""
        if run.status != "approved" or run.restored or not run.alias:
            return
        for older in await self.runs.find(alias=run.alias, status__in=WAITING, heard_at__lt=run.heard_at):

            def end(known: Run) -> Changed | None:
                return known.superseded(run.job_id, int(self.now())) if known.status in WAITING else None

            await self.runs.change(older.job_id, end)
            if older.candidate is not None:
                await self.end_review(review_id(older.candidate), "superseded", f"by the job {run.job_id}", SYSTEM)

    async def _learn(self, job_id: str, learn: Callable[[Run], Run]) -> None:
        def record(run: Run) -> Changed | None:
            changed = learn(run)
            return None if changed == run else (changed, ())

        run = await self._pin(await self.runs.upsert(Run(job_id=job_id, heard_at=self.now()), record))
        if run.complete:
            run = await self._choose(run)
        await self._continue(run)

    async def _continue(self, run: Run) -> None:
        """What follows a decision; also after a redelivery, because the process may have died in between."""
        needs_answer = (run.status == "proving" or run.restored) and run.chosen_step is not None
        if needs_answer and (answer := await self.evaluations.answer(proof_id(run.job_id, run.chosen_step or 0))):
            run = await self._proved(run, answer)
        if run.status == "in_review":
            await self._open(run)
        await self.supersede_older(run)

    async def _pin(self, run: Run, *, always: bool = False) -> Run:
        if run.policy is not None or not (always or run.owner or run.evaluated_steps):
            return run
        name, policy = await self.catalog.for_job(run.asked_policy, run.alias, run.owner)
        revision = await self.questions_revision(policy.questions) if policy and policy.questions else None
        events = [] if policy is None else [await self.catalog.pin(policy, run.job_id)]

        def pin(known: Run) -> Changed:
            return known.pinned(name, policy, revision), events if known.policy is None else ()

        return await self.runs.change(run.id, pin) or run

    async def _choose(self, run: Run) -> Run:
        run = await self._pin(run, always=True)
        if run.policy is None:
            return await self._refuse(run, f"there is no policy {run.policy_name!r} for this job")
        found = choose(run.policy, await self.evaluations.of_job(run.job_id))
        if found is None:
            return await self._refuse(run, "the training saved no checkpoint")
        evaluation, choice = found
        advice = await self.advising.on(run, evaluation, None)

        def apply(known: Run) -> Changed | None:
            if not known.complete:
                return None
            if needs_proof(evaluation):
                return known.chosen(evaluation, choice, "proving"), [proof_request(evaluation)]
            return self._judged(known.chosen(evaluation, choice, "open"), evaluation, advice)

        return await self.runs.change(run.id, apply) or run

    async def _proved(self, run: Run, answer: EvaluationAnswered) -> Run:
        choice = await self.evaluations.choice(run)
        if choice is None:
            # The verdict was restored, and the evaluation is still to come.
            return run
        proof = await self.evaluations.add(await self.proving.proof(choice, answer), PROOF)
        advice = await self.advising.on(run, proof, None)

        def apply(known: Run) -> Changed | None:
            return self._judged(known, proof, advice) if known.status == "proving" else None

        return await self.runs.change(run.id, apply) or run

    def _judged(self, run: Run, evaluation: EvalDone, advice: Advice | None) -> Changed:
        """People are asked where the policy says so and every gate passes; else the verdict follows at once."""
        assert run.policy is not None
        passed = all(rule.passed for rule in judge_gates(run.policy, evaluation))
        if passed and run.policy.mode != "automatic":
            return run.model_copy(update={"status": "in_review"}), ()
        return run.decided(evaluation, int(self.now()), advice=advice)

    async def _open(self, run: Run) -> None:
        evaluation = await self.evaluations.basis(run)
        assert evaluation is not None
        reason = await self.open_review(run, evaluation)
        if reason is None and (answer := await self.evaluations.answer(questions_id(evaluation.candidate))):
            found = await self.answered(answer)
            reason = found[1] if found else None
        if reason:
            await self._refuse(run, f"people cannot review it: {reason}")

    async def _refuse(self, run: Run, reason: str) -> Run:
        def refuse(known: Run) -> Changed | None:
            undecided = known.complete or known.status == "in_review"
            return known.refused(reason, int(self.now())) if undecided else None

        return await self.runs.change(run.id, refuse) or run

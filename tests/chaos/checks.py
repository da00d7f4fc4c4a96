"""What must hold after any faults."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from services.gateway.common.domain.model_names import LOADED_PREFIX
from tests.chaos.load import NOBODY, Answer, Job, Load, Upload
from tests.chaos.stored_events import Facts


@dataclass(frozen=True)
class Checks:
    """Each finding is a sentence; none is the wanted outcome."""

    load: Load
    facts: Facts

    def findings(self) -> list[str]:
        return [
            *self.load.wrong,
            *self.facts.contradictions(),
            *chain.from_iterable(map(self._of_upload, self.load.uploads)),
            *chain.from_iterable(map(self._of_job, self.load.jobs)),
            *chain.from_iterable(map(self._of_answer, self.load.answers)),
            *self._of_deployments(),
            *self._strangers(),
        ]

    def _of_upload(self, upload: Upload) -> Iterable[str]:
        wanted = "dataset.ready" if upload.outcome == "processed" else "dataset.rejected"
        found = [each.type for each in self.facts.about(upload.id, "dataset.ready", "dataset.rejected")]
        if found != [wanted]:
            yield f"the upload {upload.name} ended with {found or 'nothing'}, not with one {wanted}"

    def _of_job(self, job: Job) -> Iterable[str]:
        yield from self._ends(job, ("training.finished",), "training.finished")
        yield from self._ends(job, ("job.ended",), "job.ended")
        wanted = "model.rejected" if job.policy == NOBODY else "model.approved"
        yield from self._ends(job, ("model.approved", "model.rejected"), wanted)
        saved = [each.data["candidate"]["step"] for each in self.facts.about(job.id, "checkpoint.saved")]
        scored = [each.data["candidate"]["step"] for each in self.facts.about(job.id, "eval.done")]
        if len(saved) != len(set(saved)) or sorted(saved) != sorted(scored):
            yield f"job {job.id} saved the checkpoints {saved}, and {scored} were scored"

    def _ends(self, job: Job, types: tuple[str, ...], wanted: str) -> Iterable[str]:
        found = [each.type for each in self.facts.about(job.id, *types)]
        if found != [wanted]:
            yield f"job {job.id} under {job.policy} has {found or 'nothing'}, not one {wanted}"

    def _of_answer(self, answer: Answer) -> Iterable[str]:
        if answer.words != {f"{LOADED_PREFIX}{answer.version}"}:
            yield f"an answer that names {answer.version} came from {sorted(answer.words)}"
        approval = self.facts.approvals().get(answer.version)
        if approval is None or approval[1] != answer.alias:
            yield f"{answer.alias} answered with {answer.version}, which was never approved for it"
        elif answer.asked_at + ANSWER_S < approval[0].timestamp():
            yield f"{answer.alias} answered with {answer.version} before it was approved"

    def _of_deployments(self) -> Iterable[str]:
        approved = self.facts.approvals()
        for each in self.facts.once("model.deployed"):
            version = f"v-{each.data['candidate']['adapter']['sha256'][:16]}"
            if version not in approved or approved[version][1] != each.data["alias"]:
                yield f"{version} was deployed as {each.data['alias']}, for which it was never approved"

    def _strangers(self) -> Iterable[str]:
        """Jobs and files that no caller was told of: a request was accepted twice."""
        known = {each.id for each in (*self.load.uploads, *self.load.jobs)}
        for each in self.facts.once("dataset.uploaded", "training.requested"):
            if each.subject not in known:
                yield f"{each.type} of {each.subject}, which no caller knows"


# The longest time between a question and its answer.
ANSWER_S = 15.0

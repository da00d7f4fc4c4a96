"""Reads the answers to the test split as the evaluation that the verdict rests on."""

import asyncio
import json
from dataclasses import dataclass
from typing import Protocol

from services.review.runs.domain.proof import failed, proved, sample_rows
from shared.artifacts import ArtifactError
from shared.events import Artifact, EvalDone, EvaluationAnswered, Failure


class Files(Protocol):
    """Artifacts by digest."""

    def read(self, artifact: Artifact) -> bytes: ...
    def put_bytes(self, content: bytes) -> Artifact: ...


@dataclass(frozen=True)
class Proving:
    """Makes the proof of a chosen checkpoint."""

    files: Files

    async def proof(self, choice: EvalDone, answered: EvaluationAnswered) -> EvalDone:
        """The proof; one with an error where the test split was not answered or the answers cannot be read."""
        if answered.error is not None:
            return failed(choice, answered)
        try:
            return await asyncio.to_thread(self._read, choice, answered)
        except ArtifactError as error:
            failure = Failure(code="artifact_damaged", message=str(error))
            return failed(choice, answered.model_copy(update={"error": failure}))

    def _read(self, choice: EvalDone, answered: EvaluationAnswered) -> EvalDone:
        if answered.report is not None:
            answered = EvaluationAnswered.model_validate_json(self.files.read(answered.report))
        if answered.samples is None:
            raise ArtifactError("the answers to the test split were not stored")
        lines = self.files.read(answered.samples)
        samples = b"".join(json.dumps(row).encode() + b"\n" for row in sample_rows(lines))
        return proved(choice, answered, self.files.put_bytes(samples))

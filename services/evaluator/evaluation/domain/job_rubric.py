"""The rubric of a job's policy."""

from pydantic import BaseModel

from shared.events import Artifact


class JobRubric(BaseModel):
    """The rubric that review pinned for a job, as an artifact; `id` is the job's."""

    id: str
    rubric: Artifact

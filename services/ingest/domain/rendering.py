"""A file's rows in the template that a job names."""

from pydantic import BaseModel

from shared.events import DatasetRendered, TemplateRef


class Rendering(BaseModel):
    """What a job asked for; `id` is made of the job and the file. `done` is None until the file is checked."""

    id: str
    job_id: str
    file_id: str
    owner: str
    template: TemplateRef
    done: DatasetRendered | None = None

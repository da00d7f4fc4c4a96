"""A file's rows in the template that a job names."""

from services.trainer.domain.errors import PlanRefused
from shared.events import DatasetReady, DatasetRendered, Value


class RenderedFile(Value):
    """`id` is made of the job and the file."""

    id: str
    rendered: DatasetRendered

    @classmethod
    def of(cls, event: DatasetRendered) -> "RenderedFile":
        return cls(id=event.natural_key(), rendered=event)

    def in_place_of(self, dataset: DatasetReady, use: str) -> DatasetReady:
        """The dataset with the rendered rows; raises `PlanRefused` where they could not be rendered."""
        error, splits = self.rendered.error, self.rendered.splits
        if error is not None or splits is None:
            reason = error.message if error is not None else "it has no rows"
            raise PlanRefused(
                "template_not_applied", f"{dataset.file_id} cannot be rendered with the template: {reason}", use
            )
        return dataset.model_copy(update={"splits": splits, "template": self.rendered.template})

"""A suite whose questions must not be in training rows."""

from collections.abc import Iterable

from pydantic import BaseModel

from shared.events import Artifact

EVERYONE = "*"


class Suite(BaseModel):
    """The newest revision of a suite; `id` is its name. `questions` is JSON Lines of a task's name and a question."""

    id: str
    number: int
    """The revision; the store has its own field of that name."""
    owner: str = ""
    """Empty for what Assay ships."""
    readers: tuple[str, ...] = ()
    questions: Artifact | None = None
    """None where the questions cannot be read."""
    count: int = 0
    deleted: bool = False

    def readable_by(self, key_id: str) -> bool:
        return self.owner in ("", key_id) or key_id in self.readers or EVERYONE in self.readers


def compared(suites: Iterable[Suite], owner: str) -> list[Suite]:
    """The suites that the rows of an owner are compared with: those that the owner may read.

    The others cannot score the owner's models, and their questions stay hidden.
    """
    return [one for one in suites if not one.deleted and one.questions is not None and one.readable_by(owner)]

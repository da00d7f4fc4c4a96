"""Who asks, and what belongs to them: pure."""

from pydantic import BaseModel, ConfigDict


class NotOwner(Exception):
    """A caller tried to change what another owns."""


class Caller(BaseModel):
    """Who asks: a person, or a key that belongs to no person. `admin` may see and change all."""

    model_config = ConfigDict(frozen=True)

    id: str
    admin: bool = False
    owners: tuple[str, ...] = ()
    """The ids whose resources this caller owns, beside `id`."""

    @property
    def ids(self) -> frozenset[str]:
        """Every id under which a policy or a question set may name this caller."""
        return frozenset((self.id, *self.owners))

    def owns(self, owner: str) -> bool:
        """Whether the caller may change what belongs to `owner`."""
        return self.admin or owner == self.id or owner in self.owners

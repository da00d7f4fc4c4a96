"""The list of callable models."""

from dataclasses import dataclass
from typing import Any

from services.gateway.common.domain.errors import no_model
from services.gateway.serving.service.directory import Directory


@dataclass(frozen=True)
class ModelList:
    """Models in OpenAI's shape, with their lineage in `root` and `parent`."""

    directory: Directory

    def all(self) -> list[dict[str, Any]]:
        """Every name that can be called with the scope `infer`, the oldest first."""
        models = [self.one(name) for name in self.directory.catalog.names()]
        return sorted(models, key=lambda model: (model["created"], model["id"]))

    def one(self, name: str) -> dict[str, Any]:
        """One model; raises `Missing`."""
        catalog = self.directory.catalog
        if (target := catalog.find(name)) is None:
            raise no_model(name)
        return {
            "id": name,
            "object": "model",
            "created": catalog.created[name],
            "owned_by": "assay",
            "root": target.version,
            "parent": catalog.parents[name],
        }

"""Makes versions of prompt templates and finds them."""

import time
from dataclasses import dataclass

from services.ingest.domain.template_version import TemplateVersion, version_id, with_fields
from shared.events import PromptTemplate, TemplatePublished, TemplateRef
from shared.store import Collection, Cursor, Page


@dataclass(frozen=True)
class Templates:
    """The use cases over templates. Versions count from 1 and are never changed."""

    versions: Collection[TemplateVersion]

    async def publish(self, owner: str, template: PromptTemplate, fields: tuple[str, ...] | None) -> TemplateVersion:
        """The next version of a template; the newest one again where nothing changed. Raises `TemplateRefused`."""
        while True:
            newest = await self.newest(owner, template.name)
            number = newest.version + 1 if newest is not None else 1
            made = with_fields(template.model_copy(update={"version": number}), fields)
            if newest is not None and made.model_copy(update={"version": newest.version}) == newest.template:
                return newest
            saved = await self._create(owner, made)
            if saved is not None:
                return saved

    async def find(self, owner: str, asked: TemplateRef) -> PromptTemplate | None:
        """The version that was asked for, of this owner."""
        if asked.version == 0:
            newest = await self.newest(owner, asked.name)
            return newest.template if newest is not None else None
        found = await self.versions.get(version_id(owner, asked.name, asked.version))
        return found.template if found is not None else None

    async def newest(self, owner: str, name: str) -> TemplateVersion | None:
        found = await self.versions.find(owner=owner, name=name, newest_first="version", limit=1)
        return found[0] if found else None

    async def of_owner(self, owner: str, name: str | None, limit: int) -> list[TemplateVersion]:
        """Versions, the newest first; of one template, or of all."""
        if name is None:
            return await self.versions.find(owner=owner, newest_first="created_at", limit=limit)
        return await self.versions.find(owner=owner, name=name, newest_first="version", limit=limit)

    async def names(self, cursor: Cursor, owner: str) -> Page[TemplateVersion]:
        """A page of the templates of one owner, each by its first version, the newest first."""
        return await self.versions.page(cursor, by="created_at", owner=owner, version=1)

    async def newest_of(self, owner: str, names: list[str]) -> dict[str, TemplateVersion]:
        """The newest version of each of these templates."""
        found = await self.versions.find(owner=owner, name__in=names, oldest_first="version") if names else []
        return {one.name: one for one in found}

    async def _create(self, owner: str, template: PromptTemplate) -> TemplateVersion | None:
        """None when another request was faster."""
        made = TemplateVersion(
            id=version_id(owner, template.name, template.version),
            owner=owner,
            name=template.name,
            version=template.version,
            template=template,
            created_at=int(time.time()),
        )
        event = TemplatePublished(template=template, owner=owner, created_at=made.created_at)
        return made if await self.versions.create(made, [event]) else None

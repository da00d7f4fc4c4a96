"""Knows what a new job can name: checked datasets, suites and policies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.trainer.domain.new_job.job_options import SHIPPED_POLICIES, NamedOption, OptionKind, UploadedName
from services.trainer.service.run_store import RunStore
from shared.events import (
    DatasetReady,
    DatasetUploaded,
    FileDeleted,
    PolicyDeleted,
    PolicyPublished,
    SuiteDeleted,
    SuitePublished,
)
from shared.security import Key

_NEWEST = 100


@dataclass(frozen=True)
class CheckedDataset:
    """A file that a job can train on."""

    name: str
    ready: DatasetReady


@dataclass(frozen=True)
class JobOptions:
    """Each event handler is idempotent and does not depend on the order of the events."""

    store: RunStore

    async def uploaded(self, event: DatasetUploaded) -> None:
        """Learn the name of a file."""
        named = UploadedName(id=event.file_id, filename=event.filename, owner=event.owner, created_at=event.created_at)

        def name(known: UploadedName) -> tuple[UploadedName, Sequence[FileDeleted]] | None:
            changed = named.model_copy(update={"deleted": known.deleted})
            return None if changed == known else (changed, ())

        await self.store.names.upsert(UploadedName(id=event.file_id), name)

    async def file_deleted(self, event: FileDeleted) -> None:
        """Hide a file from new jobs."""
        await self.store.names.upsert(
            UploadedName(id=event.file_id), lambda known: (known.model_copy(update={"deleted": True}), ())
        )

    async def published(self, event: SuitePublished | PolicyPublished) -> None:
        """Offer a suite or a policy."""
        first = NamedOption(kind=_kind(event), name=event.name)
        readers = (event.readers or ()) if isinstance(event, PolicyPublished) else ()

        def publish(known: NamedOption) -> tuple[NamedOption, Sequence[FileDeleted]]:
            return known.published(event.revision, event.owner, readers), ()

        await self.store.options.upsert(first, publish)

    async def deleted(self, event: SuiteDeleted | PolicyDeleted) -> None:
        """Hide a suite or a policy."""
        first = NamedOption(kind=_kind(event), name=event.name)
        await self.store.options.upsert(first, lambda known: (known.deleted(event.revision), ()))

    async def datasets(self, key: Key) -> list[CheckedDataset]:
        """The newest checked files of this key (for an administrator, of all keys) that can be trained on."""
        of_owner = {} if key.allows("admin") else {"owner": key.person}
        names = await self.store.names.find(**of_owner, deleted=False, newest_first="created_at", limit=_NEWEST)
        found = await self.store.datasets.find(id__in=[name.id for name in names])
        ready = {check.id: check.ready for check in found if check.ready is not None}
        return [
            CheckedDataset(name.filename or name.id, event)
            for name in names
            if (event := ready.get(name.id)) is not None and event.kind in ("chat", "text")
        ]

    async def filenames(self, file_ids: Iterable[str]) -> dict[str, str]:
        """What each of these files was called, by id; a file whose name is not known is left out."""
        found = await self.store.names.find(id__in=sorted(set(file_ids)))
        return {each.id: each.filename for each in found if each.filename}

    async def names(self, kind: OptionKind, key: Key) -> list[str]:
        """The shipped ones, those of this key and those shared with it, by name; an administrator sees all."""
        found = await self.store.options.find(kind=kind)
        offered = {each.name for each in found if each.available and _may_use(each, key)}
        return sorted(offered | set(SHIPPED_POLICIES if kind == "policy" else ()))


def _may_use(option: NamedOption, key: Key) -> bool:
    shared = {"*", key.id, key.person} & set(option.readers)
    return not option.owner or bool(shared) or key.owns(option.owner)


def _kind(event: SuitePublished | SuiteDeleted | PolicyPublished | PolicyDeleted) -> OptionKind:
    return "suite" if isinstance(event, SuitePublished | SuiteDeleted) else "policy"

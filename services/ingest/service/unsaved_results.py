"""Names the artifacts of a check or a rendering until its dataset or rendering is saved."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from services.ingest.domain.unsaved_result import UnsavedResult
from services.ingest.ports import LookedUpFiles
from shared.events import Artifact
from shared.store import Collection

R = TypeVar("R")
_ATTEMPTS = 3


@dataclass(frozen=True)
class UnsavedResults:
    """Equal content is stored once: deleting a dataset could otherwise delete content that a new one uses."""

    results: Collection[UnsavedResult]
    files: LookedUpFiles

    async def made(
        self, result_id: str, make: Callable[[], Awaitable[R]], artifacts: Callable[[R], list[Artifact]]
    ) -> R:
        """A result whose artifacts are stored and stay until `saved`.

        They are looked up after they are named, and made again if a deletion was faster.
        """
        for _ in range(_ATTEMPTS):
            result = await make()
            found = artifacts(result)
            await self.results.put(UnsavedResult(id=result_id, digests=[one.sha256 for one in found]))
            if await asyncio.to_thread(self._contains_all, found):
                return result
        raise RuntimeError(f"artifacts of {result_id} were missing {_ATTEMPTS} times after they had been stored")

    async def saved(self, result_id: str) -> None:
        """Its own document names the artifacts now."""
        await self.results.delete(result_id)

    async def include(self, artifact: Artifact) -> bool:
        return bool(await self.results.find(digests__all=[artifact.sha256], limit=1))

    def _contains_all(self, artifacts: list[Artifact]) -> bool:
        return all(self.files.contains(one) for one in artifacts)

"""What refers to an artifact, and which keys own it."""

from dataclasses import dataclass
from typing import Any

from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from shared.artifacts import Artifacts
from shared.events import Artifact
from shared.security import Key
from shared.store import Collection


@dataclass(frozen=True)
class ArtifactReferences:
    """Files and their splits, and the weights of checkpoints."""

    store: Artifacts
    files: Collection[UploadedFile]
    checkpoints: Collection[Checkpoint]

    async def may_name(self, artifact: Artifact, key: Key) -> bool:
        """Whether a key may use an artifact: it owns something that refers to it, or nothing refers to it."""
        owners = await self._owners(artifact.sha256)
        return not owners or any(key.owns(owner) for owner in owners)

    async def exist(self, artifact: Artifact) -> bool:
        """Whether a file that is not deleted, a split or a checkpoint refers to an artifact."""
        sha256 = artifact.sha256
        if any(not file.deleted for file in await self.files.find(upload__artifact__sha256=sha256)):
            return True
        return bool(await self._split_owners(sha256) or await self._checkpoint_owners(sha256))

    async def _owners(self, sha256: str) -> set[str]:
        uploads = {file.owner for file in await self.files.find(upload__artifact__sha256=sha256)}
        return uploads | await self._split_owners(sha256) | await self._checkpoint_owners(sha256)

    async def _split_owners(self, sha256: str) -> set[str]:
        owners: set[str] = set()
        for split in ("train", "validation", "test"):
            where: dict[str, Any] = {f"ready__splits__{split}__artifact__sha256": sha256}
            owners |= {file.owner for file in await self.files.find(**where)}
        return owners

    async def _checkpoint_owners(self, sha256: str) -> set[str]:
        return {made.candidate.owner for made in await self.checkpoints.find(candidate__adapter__sha256=sha256)}

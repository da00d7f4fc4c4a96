"""Which keys own something that refers to an artifact."""

from dataclasses import dataclass

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

    async def _owners(self, sha256: str) -> set[str]:
        found: list[UploadedFile] = await self.files.find(upload__artifact__sha256=sha256)
        for split in ("train", "validation", "test"):
            where = {f"ready__splits__{split}__artifact__sha256": sha256}
            found += await self.files.find(newest_first=None, oldest_first=None, limit=0, **where)
        made = await self.checkpoints.find(candidate__adapter__sha256=sha256)
        return {file.owner for file in found} | {checkpoint.candidate.owner for checkpoint in made}

"""The digests of all artifacts that something names."""

from shared.artifact_mentions import digests_in


class Marks:
    """A set of digests, each kept as 32 bytes."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._new: list[bytes] = []

    def add_named_in(self, content: bytes) -> None:
        """Mark each digest in a document, a message or a stored file."""
        for digest in digests_in(content):
            self._add(bytes.fromhex(digest))

    def _add(self, digest: bytes) -> None:
        if digest not in self._digests:
            self._digests.add(digest)
            self._new.append(digest)

    def take_new(self) -> list[str]:
        """The digests that were marked since the last call."""
        new, self._new = self._new, []
        return [digest.hex() for digest in new]

    def __contains__(self, digest: str) -> bool:
        try:
            return bytes.fromhex(digest) in self._digests
        except ValueError:
            # Another name.
            return False

    def __len__(self) -> int:
        return len(self._digests)

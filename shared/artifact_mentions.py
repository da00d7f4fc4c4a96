"""Which artifacts a text names: each digest in it, whatever the form of the text."""

import json
import re

HEAD_BYTES = 4096
"""So much of a file tells whether it can name artifacts."""
MAX_DOCUMENT_BYTES = 64 * 1024**2
"""No manifest, report or suite is larger."""
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def digests_in(content: bytes) -> set[str]:
    """The digests in JSON, BSON or any other text. A digest of something else does no harm."""
    return {found.decode() for found in _DIGEST.findall(content)}


def is_document(head: bytes) -> bool:
    """Whether a stored file may be one JSON document, such as the manifest of a folder, a report or a suite.

    Only these name artifacts; weights and JSON Lines do not. `head` is the first `HEAD_BYTES` of the file.
    """
    if not head.lstrip().startswith((b"{", b"[")):
        return False
    first, _, rest = head.lstrip().partition(b"\n")
    if not rest.strip():
        return True
    try:
        json.loads(first)
    except ValueError:
        return True
    return False

"""Files with secrets: only their owner can read them."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; the new one has mode 600."""
    temporary = path.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    os.replace(temporary, path)

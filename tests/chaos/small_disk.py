"""A small file system in memory for the artifacts, which a fault can fill."""

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BALLAST = "ballast"
_CHUNK = bytes(256 * 1024)


@dataclass
class SmallDisk:
    """A tmpfs at `folder`. Where this user may not mount one, `mounted` stays false and nothing can be filled."""

    folder: Path
    mib: int
    mounted: bool = False

    def mount(self) -> None:
        self.folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.mib}m", "tmpfs", self.folder]
        with suppress(FileNotFoundError):
            self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def unmount(self) -> None:
        if self.mounted:
            # Lazily: a process that was just killed may still hold a file.
            subprocess.run(["umount", "-l", self.folder], check=False)
            self.mounted = False

    def fill(self) -> None:
        """Use up all free space."""
        with suppress(OSError), open(self.folder / _BALLAST, "ab", buffering=0) as ballast:
            while os.statvfs(self.folder).f_bavail:
                ballast.write(_CHUNK)

    def free(self) -> None:
        (self.folder / _BALLAST).unlink(missing_ok=True)

    def __str__(self) -> str:
        if self.mounted:
            return f"artifacts are on a tmpfs of {self.mib} MiB, which faults fill"
        return "no tmpfs can be mounted here: faults use up the quota of the event stream in place of the disk"

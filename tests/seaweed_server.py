"""SeaweedFS, an S3 server, in tests."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.other_servers import SECOND, program
from tests.ports import free_port, wait_for_port

_START_S = 60.0


@dataclass
class SeaweedServer:
    """One process for all parts of SeaweedFS, in a folder."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process, and every process that it starts, finds the server and `s3fs`."""
        access = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
        return {**access, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "PYTHONPATH": str(self._second_packages)}

    @property
    def packages(self) -> str:
        """The folder with `s3fs`, which the product's environment does not have."""
        [found] = SECOND.parent.glob("lib/python*/site-packages")
        return str(found)

    def start(self) -> None:
        others = {name: free_port() for name in ("master.port", "volume.port", "filer.port")}
        ports = [f"-{name}={port}" for name, port in {"s3.port": self.port, **others}.items()]
        command = [program("weed"), "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-filer", "-s3", *ports]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"],
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.port, _START_S)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def _second_packages(self) -> Path:
        """A folder whose `sitecustomize` adds `packages` behind all others, so that it replaces none of them."""
        folder = self.folder / "sitecustomize"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(f"import sys\n\nsys.path.append({self.packages!r})\n")
        return folder

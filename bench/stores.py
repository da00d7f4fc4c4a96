"""NATS and MongoDB for one benchmark, set up for Assay's services."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.side_by_side import free_port, running

_BIN = Path(sys.executable).parent


@contextmanager
def stores(folder: Path, core: int | None = None) -> Generator[dict[str, str]]:
    """Run both, with streams declared; yields the environment variables for the services. Files are in `folder`."""
    nats, mongo = free_port(), free_port()
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    common = {
        "ASSAY_NATS_URL": f"nats://127.0.0.1:{nats}",
        "ASSAY_MONGO_URL": f"mongodb://127.0.0.1:{mongo}",
        "ASSAY_ARTIFACTS": str(folder / "artifacts"),
        "ASSAY_CACHE_DIR": str(folder / "cache"),
        "ASSAY_KEYS_FILE": str(folder / "keys.json"),
    }
    with running(_nats(nats, folder), nats, core=core), running(_mongo(mongo, folder), mongo, core=core):
        declare = [sys.executable, "-m", "shared.topology"]
        subprocess.run(declare, env={**os.environ, **common}, check=True, timeout=60, stderr=subprocess.DEVNULL)
        yield common


def _nats(port: int, folder: Path) -> list[str | Path]:
    config = folder / "nats.conf"
    config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}/js" }}\n')
    return [_BIN / "nats-server", "-c", config]


def _mongo(port: int, folder: Path) -> list[str | Path]:
    files = ["--data-dir", folder / "mongo", "--pid-file", folder / "mongo.pid", "--log-file", "/dev/stdout"]
    return [_BIN / "nx-27017", "--host", "127.0.0.1", "-p", str(port), *files]

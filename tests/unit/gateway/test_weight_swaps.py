"""Merged weights on the disk that gateways share."""

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.gateway.common.domain.model_names import loaded_name
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.replica import Replica
from services.gateway.serving.service.weight_swaps import WeightSwaps
from tests.aged_files import make_old_folder
from tests.gateway import BASE, candidate

NOTHING: Any = None


def gateway(folder: Path, engine: Any = None, leases: Any = None) -> WeightSwaps:
    """The swaps of one gateway, over a shared folder."""

    async def merge(_root: str, _adapter: Path, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "model.safetensors").write_bytes(b"weights")

    loader: Any = SimpleNamespace(
        engine=engine, folders=SimpleNamespace(merge=merge), locks={}, checked=lambda _replica, _made: Path("adapter")
    )
    return WeightSwaps(loader=loader, leases=leases, merged=folder)


async def test_only_the_gateways_own_merged_weights_of_versions_that_are_not_wanted_are_deleted(tmp_path: Path) -> None:
    names = ("v-1.0123abcd.boot", "v-2.0123abcd.boot", "0123456789abcdef", ".v-3.0123abcd.boot.scratch")
    for name in names:
        (tmp_path / name).mkdir()
        make_old_folder(tmp_path / name)
    await WeightSwaps(loader=NOTHING, leases=NOTHING, merged=tmp_path).forget({"v-1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({*names} - {"v-2.0123abcd.boot"})


@pytest.mark.parametrize("merged", ["just now", "long ago"])
async def test_weights_that_another_gateway_is_about_to_load_are_not_deleted(tmp_path: Path, merged: str) -> None:
    replica, made = Replica("http://engine", BASE, "address"), candidate("approved")
    other = gateway(tmp_path)
    folder = await other.prepare(replica, made)
    if merged == "long ago":
        make_old_folder(folder)
        assert await other.prepare(replica, made) == folder
    # This gateway's round began before the approval, or before the rollback to this version.
    await gateway(tmp_path).forget({"assay-v-1"})
    assert (folder / "model.safetensors").is_file()
    make_old_folder(folder)
    await gateway(tmp_path).forget({"assay-v-1"})
    assert not list(tmp_path.iterdir())


async def test_another_gateway_never_sees_a_part_of_the_weights_that_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica, made = Replica("http://engine", BASE, "address"), candidate("unwanted")
    folder = await gateway(tmp_path).prepare(replica, made)
    make_old_folder(folder)
    seen: list[Path] = []
    rmtree = shutil.rmtree

    def slow(path: Path, **options: Any) -> None:
        # Another gateway looks between the deletion of two files.
        seen.extend(tmp_path.glob(f"{loaded_name(made)}*"))
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", slow)
    await gateway(tmp_path).forget(set())
    assert (seen, list(tmp_path.iterdir())) == ([], [])


class Engine:
    """Notes the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*_: Any) -> None:
            self.calls.append(name)

        return call


class Leases:
    """The only gateway; while it waits for running answers, the weights are deleted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def take(self, _pool: str, _url: str) -> bool:
        return True

    async def close(self, _pool: str, _replica: Replica) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path)

    async def during(self, _pool: str, _url: str, work: Any) -> None:
        await work

    async def let_go_engine(self, _pool: str, _url: str) -> None: ...

    async def let_go(self, _pool: str) -> None: ...


async def test_an_engine_keeps_answering_when_its_next_weights_are_gone(tmp_path: Path) -> None:
    engine, errors = Engine(), list[Exception | None]()
    swaps = gateway(tmp_path, engine, Leases(tmp_path))

    async def report(_deployment: Deployment, _replica: Replica, error: Exception | None) -> None:
        errors.append(error)

    replica = Replica("http://engine", BASE, "address", up=True)
    made = candidate("approved")
    swaps.begin(f"{BASE}@address", [replica], Deployment(id=made.job_id, at=1.0, candidate=made), report)
    await asyncio.gather(*swaps.tasks.values())
    assert engine.calls == ["pause", "resume"]
    assert [type(error) for error in errors] == [FileNotFoundError]

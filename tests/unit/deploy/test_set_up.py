"""Set-up hands this machine's pip settings to uv, syncs with the lock, and no lock names an index."""

import re
from pathlib import Path

import pytest

from deploy.local.set_up import ROOT, pip_settings, sync_command, uv_environment

LISTING = """:env:.find-links='/wheels /more'
global.cert='/certs.pem'
global.index-url='https://one.example/simple'
user.index-url='https://two.example/simple'
user.extra-index-url='https://a.example https://b.example'
"""


@pytest.fixture(autouse=True)
def _no_settings_for_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_nearer_scope_of_pips_settings_wins():
    assert pip_settings(LISTING)["index-url"] == "https://two.example/simple"
    assert pip_settings(LISTING + ":env:.index-url='https://env.example'\n")["index-url"] == "https://env.example"


def test_uv_gets_pips_settings():
    environment = uv_environment(pip_settings(LISTING))
    assert environment["UV_FIND_LINKS"] == "/wheels,/more"
    assert environment["UV_DEFAULT_INDEX"] == "https://two.example/simple"
    assert environment["UV_INDEX"] == "https://a.example https://b.example"
    assert environment["SSL_CERT_FILE"] == "/certs.pem"


def test_a_variable_that_is_set_for_uv_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example")
    assert "UV_DEFAULT_INDEX" not in uv_environment(pip_settings(LISTING))


def test_packages_that_are_no_longer_locked_are_removed():
    command = [str(part) for part in sync_command(Path("uv.txt"), Path("cpu.txt"))]
    assert command[1:3] == ["pip", "sync"]
    assert command[-2:] == ["uv.txt", "cpu.txt"]


@pytest.mark.parametrize("lock", sorted((ROOT / "locks").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_names_no_address_and_no_folder(lock: Path):
    assert not re.search(r"://|--(extra-)?index-url|--find-links|file:", lock.read_text())


@pytest.mark.parametrize("name", ["cpu", "gpu", "dev", "uv"])
def test_each_locked_package_has_a_hash(name: str):
    entries = re.split(r"\n(?=\S)", (ROOT / "locks" / f"{name}.txt").read_text().strip())
    assert entries
    assert all(re.match(r"[\w.\[\]-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_dev_lock_has_the_versions_of_the_cpu_lock():
    cpu, dev = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / "locks" / f"{n}.txt").read_text(), re.M)) for n in ("cpu", "dev")
    )
    assert dev <= cpu

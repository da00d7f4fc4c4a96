"""API keys: authentication by digest, scopes, and keys added while a process runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.security import Keyring, NotAllowed, NotAuthenticated, require


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


def test_a_key_is_recognised_and_its_secret_is_not_stored(keyring: Keyring) -> None:
    secret = keyring.create("app", ("infer",))
    assert keyring.authenticate(f"Bearer {secret}").name == "app"
    assert secret not in keyring.path.read_text()
    assert keyring.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic abc", "sk-assay-x"])
def test_an_unknown_or_malformed_key_is_refused(keyring: Keyring, header: str | None) -> None:
    keyring.create("app", ("infer",))
    with pytest.raises(NotAuthenticated):
        keyring.authenticate(header)


def test_a_key_of_another_process_is_known_at_once(keyring: Keyring) -> None:
    keyring.create("first", ("infer",))
    secret = Keyring(keyring.path).create("second", ("review",))
    assert keyring.authenticate(f"bearer {secret}").scopes == ("review",)


def test_a_scope_allows_its_own_requests_and_admin_allows_those_of_the_others(keyring: Keyring) -> None:
    reviewer = keyring.authenticate(f"Bearer {keyring.create('r', ('review',))}")
    admin = keyring.authenticate(f"Bearer {keyring.create('a', ('admin',))}")
    require(reviewer, "review")
    require(admin, "train")
    with pytest.raises(NotAllowed, match="lacks the scope 'train'"):
        require(reviewer, "train")


def test_admin_does_not_include_publish_and_publish_includes_nothing_else(keyring: Keyring) -> None:
    admin = keyring.authenticate(f"Bearer {keyring.create('a', ('admin',))}")
    publisher = keyring.authenticate(f"Bearer {keyring.create('p', ('publish',))}")
    require(publisher, "publish")
    with pytest.raises(NotAllowed, match="lacks the scope 'publish'"):
        require(admin, "publish")
    with pytest.raises(NotAllowed):
        require(publisher, "train")


def test_the_command_makes_a_key_with_the_scope_publish(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    command = ["-m", "shared.security", "create", "--name", "n", "--scope", "publish", "--keys-file", str(path)]
    made = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    assert Keyring(path).authenticate(f"Bearer {made.stdout.strip()}").scopes == ("publish",)

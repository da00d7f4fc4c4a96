"""Keys are known by their digest, allow what their scopes say, and are found without a restart."""

from pathlib import Path

import pytest

from shared.security import Keyring, NotAllowed, NotAuthenticated, require


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


def test_a_key_is_recognised_and_its_secret_is_kept_nowhere(keyring: Keyring) -> None:
    secret = keyring.create("app", ("infer",))
    assert keyring.authenticate(f"Bearer {secret}").name == "app"
    assert secret not in keyring.path.read_text()
    assert keyring.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic abc", "sk-assay-x"])
def test_whatever_is_no_known_key_is_refused(keyring: Keyring, header: str | None) -> None:
    keyring.create("app", ("infer",))
    with pytest.raises(NotAuthenticated):
        keyring.authenticate(header)


def test_a_key_of_another_process_is_known_at_once(keyring: Keyring) -> None:
    keyring.create("first", ("infer",))
    secret = Keyring(keyring.path).create("second", ("review",))
    assert keyring.authenticate(f"bearer {secret}").scopes == ("review",)


def test_a_scope_opens_its_own_door_and_admin_opens_all(keyring: Keyring) -> None:
    reviewer = keyring.authenticate(f"Bearer {keyring.create('r', ('review',))}")
    admin = keyring.authenticate(f"Bearer {keyring.create('a', ('admin',))}")
    require(reviewer, "review")
    require(admin, "train")
    with pytest.raises(NotAllowed, match="lacks the scope 'train'"):
        require(reviewer, "train")

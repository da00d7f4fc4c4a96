"""Keyrings: keys of a file, keys of the shared bucket, and keys that are no longer valid."""

import json
from pathlib import Path

import pytest

from shared.security import Key, Keyring, NotAuthenticated, digest_of, new_key, new_secret

NOW = 1_800_000_000.0


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json", now=lambda: NOW)


def known(keyring: Keyring, **fields: object) -> str:
    """The secret of a key with these fields that was stated to the keyring."""
    key, secret = new_key("app", ("infer",))
    keyring.learn([key.model_copy(update=fields)])
    return f"Bearer {secret}"


@pytest.mark.parametrize("fields", [{"expires_at": int(NOW)}, {"disabled": True}, {"deleted": True}])
def test_an_expired_disabled_or_deleted_key_is_refused(keyring: Keyring, fields: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticated):
        keyring.authenticate(known(keyring, **fields))


def test_a_key_is_valid_until_it_expires(keyring: Keyring) -> None:
    assert keyring.authenticate(known(keyring, expires_at=int(NOW) + 1)).name == "app"


@pytest.mark.parametrize(("until", "accepted"), [(int(NOW) + 1, True), (int(NOW), False)])
def test_the_previous_secret_is_valid_until_its_grace_period_ends(keyring: Keyring, until: int, accepted: bool) -> None:
    secret = new_secret()
    known(keyring, previous_sha256=digest_of(secret), previous_until=until)
    if accepted:
        assert keyring.authenticate(f"Bearer {secret}").name == "app"
    else:
        with pytest.raises(NotAuthenticated):
            keyring.authenticate(f"Bearer {secret}")


def test_shared_keys_take_precedence_over_the_file_and_a_deleted_key_stays_deleted(keyring: Keyring) -> None:
    header = f"Bearer {keyring.create('app', ('infer',))}"
    key = keyring.authenticate(header)
    keyring.learn([key.model_copy(update={"scopes": ("train",)})])
    assert keyring.authenticate(header).scopes == ("train",)
    keyring.learn([key.model_copy(update={"deleted": True})])
    keyring.create("another", ("infer",))
    with pytest.raises(NotAuthenticated):
        keyring.authenticate(header)
    [left] = keyring.keys()
    assert left.name == "another"


def test_a_file_from_before_limits_existed_is_read(keyring: Keyring) -> None:
    key = Key(id="key_1", name="old", sha256=digest_of("sk-old"), scopes=("infer",), created_at=1)
    fields = {"id": key.id, "name": "old", "sha256": key.sha256, "scopes": ["infer"], "created_at": 1}
    keyring.path.write_text(json.dumps([fields]))
    assert keyring.authenticate("Bearer sk-old") == key

"""Keys of one person: what they own together, and that no key has more rights than its person."""

from pathlib import Path

import pytest

from shared.security import Key, Keyring, NotAuthenticated, digest_of, new_key


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


def person_with_key(keyring: Keyring, **changes: object) -> tuple[Key, Key, str]:
    """A person's own key as changed, a second key of that person, and the second key's secret."""
    own, _ = new_key("Ana", ("train", "infer"))
    own = own.model_copy(update={"person_id": own.id, **changes})
    second, secret = new_key("Ana's laptop", ("train", "infer"))
    second = second.model_copy(update={"person_id": own.id})
    keyring.learn([own, second])
    return own, second, secret


def test_two_keys_of_one_person_own_the_same_things(keyring: Keyring) -> None:
    own, second, _ = person_with_key(keyring)
    assert own.person == second.person == own.id
    assert second.owns(own.person)
    assert second.owns(second.id)
    assert not second.owns("key_ffff")


def test_a_key_from_before_is_a_person_by_itself() -> None:
    key, _ = new_key("app", ("infer",))
    assert key.person == key.id
    assert not key.is_own_key


def test_a_key_loses_the_scope_that_its_person_lost(keyring: Keyring) -> None:
    _, second, secret = person_with_key(keyring, scopes=("infer",))
    assert keyring.authenticate(f"Bearer {secret}").scopes == ("infer",)
    assert keyring.get(second.id) == second


@pytest.mark.parametrize("change", [{"deleted": True}, {"disabled": True}, {"expires_at": 1}])
def test_no_key_of_a_person_who_was_removed_is_accepted(keyring: Keyring, change: dict[str, object]) -> None:
    _, _, secret = person_with_key(keyring, **change)
    with pytest.raises(NotAuthenticated, match="person of this API key"):
        keyring.authenticate(f"Bearer {secret}")


def test_a_person_that_is_unknown_here_is_not_taken_for_one_without_limits(keyring: Keyring) -> None:
    orphan, secret = new_key("orphan", ("admin",))
    keyring.learn([orphan.model_copy(update={"person_id": "key_unknown"})])
    assert digest_of(secret) == orphan.sha256
    with pytest.raises(NotAuthenticated):
        keyring.authenticate(f"Bearer {secret}")

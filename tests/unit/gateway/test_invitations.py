"""Invitations and people: a link works once, and a person's keys end with the person."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.gateway.access.domain.invitation import Invitation, InvitationRequest, PersonChange, read_invitation
from services.gateway.access.domain.key_request import KeyRequest
from services.gateway.access.service.invitations import Invitations
from services.gateway.access.service.keys import Keys
from services.gateway.access.service.people import People
from services.gateway.common.domain.errors import BadRequest, Conflict, Missing, NotPermitted
from shared.security import Key, Keyring, NotAuthenticated, new_key
from shared.store import MemoryStore
from shared.web import Unavailable
from tests.memory_keys import MemoryKeys

DAY_S = 24 * 3600


@dataclass
class PurgedSessions:
    """Keeps which sessions were ended."""

    patterns: list[str] = field(default_factory=list)

    async def purge(self, pattern: str) -> None:
        self.patterns.append(pattern)


@pytest.fixture
def keys(tmp_path) -> MemoryKeys:
    return MemoryKeys(Keyring(tmp_path / "keys.json"))


@pytest.fixture
def author(keys: MemoryKeys) -> Key:
    made, _ = new_key("Ana", ("admin",))
    keys.keyring.learn([made])
    return made


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def invitations(keys: MemoryKeys, clock: Clock) -> Invitations:
    return Invitations(MemoryStore("gateway").collection("invitations", Invitation), keys, clock)


@pytest.fixture
def people(keys: MemoryKeys) -> People:
    return People(store=keys, sessions=PurgedSessions())  # type: ignore[arg-type]


ASKED = InvitationRequest(name="Lin Yue", scopes=["review", "infer"], language="zh", team="support")


async def joined(invitations: Invitations, author: Key, name: str = "Lin") -> Key:
    secret, _ = await invitations.create(ASKED, author)
    return await invitations.accept(secret, name, "")


async def test_an_invitation_makes_a_person_with_its_scopes_language_and_team(
    invitations: Invitations, author: Key, people: People
) -> None:
    person = await joined(invitations, author, "Lin Yue 林")
    assert (person.name, person.scopes, person.language, person.team) == (
        "Lin Yue 林",
        ("review", "infer"),
        "zh",
        "support",
    )
    assert person.is_own_key
    assert [each.own.id for each in people.listed()] == [person.id]


async def test_an_invitation_is_accepted_once_also_by_ten_at_the_same_time(
    invitations: Invitations, author: Key, people: People
) -> None:
    secret, _ = await invitations.create(ASKED, author)
    outcomes = await asyncio.gather(
        *(invitations.accept(secret, f"person {n}", "en") for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Key) for outcome in outcomes) == 1
    assert len(people.listed()) == 1
    with pytest.raises(NotAuthenticated, match="used before"):
        await invitations.look(secret)


async def test_an_invitation_whose_person_could_not_be_stored_works_again(
    invitations: Invitations, author: Key, people: People, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_key: Key) -> None:
        raise Unavailable("NATS does not answer")

    secret, made = await invitations.create(ASKED, author)
    with monkeypatch.context() as patch:
        patch.setattr(invitations.keys, "create", away)
        with pytest.raises(Unavailable, match="does not answer"):
            await invitations.accept(secret, "Lin", "")
    with pytest.raises(Unavailable, match="being used"):
        await invitations.look(secret)
    clock.now += 20
    person = await invitations.accept(secret, "Lin", "")
    assert [each.own.id for each in people.listed()] == [person.id]
    used = await invitations.invitations.get(made.id)
    assert used is not None
    assert used.person_id == person.id
    with pytest.raises(NotAuthenticated, match="used before"):
        await invitations.accept(secret, "Lin", "")
    await people.remove(person.id, author)
    with pytest.raises(NotAuthenticated, match="used before"):
        await invitations.look(secret)


async def test_an_expired_invitation_is_refused(invitations: Invitations, author: Key, clock: Clock) -> None:
    secret, _ = await invitations.create(ASKED, author)
    clock.now += 3 * DAY_S
    with pytest.raises(NotAuthenticated, match="has expired"):
        await invitations.accept(secret, "Lin", "")


async def test_a_revoked_invitation_is_refused_and_a_used_one_cannot_be_revoked(
    invitations: Invitations, author: Key
) -> None:
    secret, made = await invitations.create(ASKED, author)
    await invitations.revoke(made.id)
    with pytest.raises(NotAuthenticated, match="was revoked"):
        await invitations.accept(secret, "Lin", "")
    used_secret, used = await invitations.create(ASKED, author)
    await invitations.accept(used_secret, "Lin", "")
    with pytest.raises(Conflict):
        await invitations.revoke(used.id)


async def test_an_unknown_invitation_is_refused(invitations: Invitations) -> None:
    with pytest.raises(NotAuthenticated, match="not known here"):
        await invitations.accept("guessed", "Lin", "")


async def test_the_stored_invitation_does_not_hold_its_secret(invitations: Invitations, author: Key) -> None:
    secret, made = await invitations.create(ASKED, author)
    assert secret not in made.model_dump_json()


def test_no_person_gets_the_scope_of_services() -> None:
    with pytest.raises(BadRequest) as refused:
        read_invitation({"name": "Lin", "scopes": ["publish"]})
    assert refused.value.param == "scopes.0"


async def test_removing_a_person_ends_their_sessions_and_every_key(
    invitations: Invitations, author: Key, people: People, keys: MemoryKeys
) -> None:
    person = await joined(invitations, author)
    second, secret = await Keys(store=keys).create_own(KeyRequest(name="laptop", scopes=["infer"]), person)
    assert keys.keyring.authenticate(f"Bearer {secret}").person == person.id
    await people.remove(person.id, author)
    with pytest.raises(NotAuthenticated):
        keys.keyring.authenticate(f"Bearer {secret}")
    assert people.listed() == []
    assert people.sessions.patterns == [f"session.{person.id}.>", f"session.{second.id}.>"]  # type: ignore[attr-defined]


async def test_a_person_makes_keys_with_their_own_scopes_alone_and_a_key_makes_none(
    invitations: Invitations, author: Key, keys: MemoryKeys
) -> None:
    person, use_cases = await joined(invitations, author), Keys(store=keys)
    with pytest.raises(NotPermitted, match="'admin'"):
        await use_cases.create_own(KeyRequest(name="x", scopes=["admin"]), person)
    second, _ = await use_cases.create_own(KeyRequest(name="x", scopes=["infer"], person_id=author.id), person)
    assert second.person == person.id
    with pytest.raises(NotPermitted, match="cannot make others"):
        await use_cases.create_own(KeyRequest(name="y", scopes=["infer"]), second)


async def test_nobody_takes_the_key_of_another_person_away_or_the_one_that_signs_them_in(
    invitations: Invitations, author: Key, keys: MemoryKeys
) -> None:
    lin, tom = await joined(invitations, author, "Lin"), await joined(invitations, author, "Tom")
    use_cases = Keys(store=keys)
    toms, _ = await use_cases.create_own(KeyRequest(name="x", scopes=["infer"]), tom)
    for key_id in (toms.id, lin.id, author.id):
        with pytest.raises(Missing):
            await use_cases.delete_own(key_id, lin)
    assert use_cases.owned_by(lin) == []
    await use_cases.delete_own(toms.id, tom)
    assert use_cases.owned_by(tom) == []


async def test_an_administrator_cannot_lock_themselves_out(
    invitations: Invitations, author: Key, people: People
) -> None:
    secret, _ = await invitations.create(InvitationRequest(name="Ana", scopes=["admin"]), author)
    person = await invitations.accept(secret, "Ana", "")
    with pytest.raises(BadRequest):
        await people.remove(person.id, person)
    with pytest.raises(BadRequest):
        await people.change(person.id, PersonChange(scopes=["review"]), person)
    await people.change(person.id, PersonChange(team="support"), person)


async def test_a_key_is_made_only_for_a_person_who_exists(keys: MemoryKeys) -> None:
    with pytest.raises(Missing):
        await Keys(store=keys).create(KeyRequest(name="x", scopes=["infer"], person_id="key_00"))

"""The form that saves a policy, while its owner changes who may read it."""

from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, Request
from litestar.di import Provide

from services.review.ownership import Caller
from services.review.pages.policies import change_policy
from services.review.policies.catalog import Binding, PolicyCatalog
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.domain.policy import EVERYBODY, PolicyContent
from services.review.runs.policy_trials import Trials
from shared.artifacts import Artifacts
from shared.security import Key
from shared.store import MemoryStore

ANA = Key(id="ana", name="Ana", sha256="", scopes=("train",), created_at=0)
OWNER, FIRST, SECOND = Caller(id="ana"), PolicyContent(mode="human"), PolicyContent(mode="human", seed=1)


@pytest.fixture
def catalog(tmp_path) -> PolicyCatalog:
    store = MemoryStore("review")
    return PolicyCatalog(
        policies=store.collection("policies", NamedPolicy),
        bindings=store.collection("bindings", Binding),
        shipped={},
        files=Artifacts(str(tmp_path)),
        default="",
        jobs_using=cast(Any, None),
    )


async def save(catalog: PolicyCatalog, name: str) -> None:
    """Send the form with the second content, opened for the policy `mine`."""

    async def sign_in(request: Request[Any, Any, Any]) -> None:
        request.state.key = ANA

    def give(value: object) -> Callable[[], Any]:
        return lambda: value

    use_cases = {"catalog": catalog, "trials": Trials(cast(Any, None), cast(Any, None))}
    dependencies = {each: Provide(give(value), sync_to_thread=False) for each, value in use_cases.items()}
    app = Litestar([change_policy], before_request=sign_in, dependencies=dependencies)
    form = {"content": SECOND.model_dump_json(exclude_defaults=True), "name": name, "do": "save"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://console") as console:
        answer = await console.post("/policies/mine", data=form)
    assert answer.status_code == 303, answer.text


async def test_a_saved_text_leaves_the_readers_that_were_chosen_meanwhile(catalog, monkeypatch) -> None:
    await catalog.put("mine", FIRST, (EVERYBODY,), OWNER)
    change = catalog.policies.change

    async def after_the_readers(*arguments: Any) -> NamedPolicy | None:
        monkeypatch.undo()
        await catalog.put("mine", FIRST, ("ben",), OWNER)
        return await change(*arguments)

    monkeypatch.setattr(catalog.policies, "change", after_the_readers)
    await save(catalog, "mine")
    saved = await catalog.get("mine", OWNER)
    assert (saved.newest.content, saved.readers) == (SECOND, ("ben",))


async def test_a_policy_that_is_saved_under_a_new_or_deleted_name_is_for_everybody(catalog) -> None:
    await catalog.put("mine", FIRST, ("ben",), OWNER)
    await save(catalog, "new")
    assert (await catalog.get("new", OWNER)).readers == (EVERYBODY,)
    await catalog.put("old", FIRST, ("ben",), OWNER)
    await catalog.policies.change("old", lambda known: (known.model_copy(update={"deleted": True}), ()))
    await save(catalog, "old")
    assert (await catalog.get("old", OWNER)).readers == (EVERYBODY,)

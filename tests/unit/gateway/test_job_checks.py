"""What can be known when a job is created is refused or warned about then."""

from pathlib import Path
from typing import Any

import openai
import pytest

from services.gateway.fine_tuning.domain.configuration import SHIPPED_POLICIES
from services.review.policies.shipped import shipped_policies
from shared.events import (
    Artifact,
    DatasetReady,
    PolicyDeleted,
    PolicyPublished,
    PoolChanged,
    PromptTemplate,
    Split,
    Splits,
    SuiteDeleted,
    SuiteOverlap,
    SuitePublished,
    TemplatePublished,
)
from tests.fine_tuning_app import FineTuningApp, fine_tuning_app
from tests.gateway import BASE

STORED = Artifact(uri="file:///a", sha256="a" * 64, bytes=100)
ROWS = b'{"messages": []}\n'


@pytest.fixture
def app(tmp_path: Path) -> FineTuningApp:
    made = fine_tuning_app(tmp_path)
    # A name that is not known is waited for: here it never comes.
    object.__setattr__(made.part.configurations, "patience_s", 0)
    return made


async def ready(app: FineTuningApp, file_id: str, **found: Any) -> None:
    split = Split(artifact=STORED, rows=20)
    splits = Splits(train=split, validation=split, test=split)
    await app.part.projection.ready_file(DatasetReady(file_id=file_id, rows=60, splits=splits, **found))


async def created(app: FineTuningApp, metadata: dict[str, str] | None = None, **found: Any) -> Any:
    """A job over a file whose check found `found`."""
    sdk = app.sdk("train")
    file = await sdk.files.create(file=("r.jsonl", ROWS), purpose="fine-tune")
    if found:
        await ready(app, file.id, **found)
    return await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id, metadata=metadata or {})


async def refusal(app: FineTuningApp, metadata: dict[str, str] | None = None, **found: Any) -> tuple[Any, Any]:
    with pytest.raises(openai.BadRequestError) as refused:
        await created(app, metadata, **found)
    return refused.value.param, refused.value.code


def test_the_policies_that_come_with_review_are_known() -> None:
    assert dict(SHIPPED_POLICIES) == {name: policy.rank_by for name, policy in shipped_policies().items()}


async def test_an_unknown_policy_is_refused_and_a_published_one_is_not(app: FineTuningApp) -> None:
    assert await refusal(app, {"policy": "strict"}) == ("metadata.policy", "unknown_policy")
    known = app.part.configurations
    await known.policy(PolicyPublished(name="strict", revision=2, content=STORED, at=1))
    assert (await created(app, {"policy": "strict"})).id
    assert (await created(app, {"policy": "guarded"})).id
    await known.policy(PolicyDeleted(name="strict", revision=2, author="k", at=2))
    # The facts may arrive in another order.
    await known.policy(PolicyPublished(name="strict", revision=1, content=STORED, at=0))
    assert await refusal(app, {"policy": "strict"}) == ("metadata.policy", "unknown_policy")


async def test_each_suite_of_a_job_must_be_known(app: FineTuningApp) -> None:
    known = app.part.configurations
    await known.suite(SuitePublished(name="general", revision=1, content=STORED, at=1))
    assert (await created(app, {"suite": "general@1"})).id
    assert await refusal(app, {"suite": "general, shop"}) == ("metadata.suite", "unknown_suite")
    await known.suite(SuiteDeleted(name="general", revision=1, author="k", at=2))
    assert await refusal(app, {"suite": "general"}) == ("metadata.suite", "unknown_suite")


@pytest.mark.parametrize(("published_at", "warned"), [(1, False), (9e9, True)])
async def test_a_suite_that_is_newer_than_the_file_is_warned_of(
    app: FineTuningApp, published_at: float, warned: bool
) -> None:
    await app.part.configurations.suite(SuitePublished(name="shop", revision=1, content=STORED, at=published_at))
    job = await created(app, {"suite": "shop@1"}, kind="chat")
    assert any("'shop' was published after" in text for text in job.warnings) is warned


async def test_a_job_keeps_the_version_that_its_owners_template_has(app: FineTuningApp) -> None:
    sdk = app.sdk("train")
    file = await sdk.files.create(file=("r.jsonl", ROWS), purpose="fine-tune")

    async def job(template: str) -> Any:
        asked = {"template": template}
        return await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id, metadata=asked)

    with pytest.raises(openai.BadRequestError, match="no template 'support'"):
        await job("support")
    stored = await app.part.files.get(file.id)
    assert stored is not None
    for owner, versions in ((stored.owner, (1, 2)), ("key_other", (1, 2, 3))):
        for version in versions:
            template = PromptTemplate(name="support", version=version)
            await app.part.configurations.template(TemplatePublished(template=template, owner=owner))
    for asked, version in (("support", 2), ("support:1", 1)):
        assert (await _newest(app, await job(asked))).requested.spec.template.version == version
    with pytest.raises(openai.BadRequestError, match="no template 'support'"):
        await job("support:3")


async def _newest(app: FineTuningApp, job: Any) -> Any:
    found = await app.part.jobs.get(job.id)
    assert found is not None
    return found


async def test_rows_that_a_job_cannot_use_are_refused_by_param(app: FineTuningApp) -> None:
    overlap = {"suites": (SuiteOverlap(suite="shop", revision=1, questions=1, rows=2),)}
    assert await refusal(app, **overlap) == ("training_file", "contaminated_training_file")
    assert (await created(app, {"allow_contaminated": "true"}, **overlap)).id
    assert await refusal(app, kind="preference") == ("training_file", "unsupported_rows")
    pool = PoolChanged(pool=BASE, base_model=BASE, mode="adapters", replicas=(), context_length=2048, at=1)
    await app.part.configurations.pool(pool)
    assert await refusal(app, tokenizer=BASE, longest_row_tokens=2120) == ("training_file", "rows_too_long")
    estimated = await created(app, tokenizer="", longest_row_tokens=2120)
    assert estimated.warnings == ["the longest row has about 2120 tokens, and the engine takes 2048"]


async def test_what_the_check_of_a_file_advises_is_told_whenever_it_ends(app: FineTuningApp) -> None:
    advice = ("40 rows; a small skill takes about 1 000",)
    assert (await created(app, advice=advice)).warnings == list(advice)
    sdk = app.sdk("admin")
    file = await sdk.files.create(file=("r.jsonl", ROWS), purpose="fine-tune")
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)
    for _time in range(2):
        await ready(app, file.id, advice=advice)
    events = [event async for event in await sdk.fine_tuning.jobs.list_events(job.id)]
    assert [event.message for event in events if event.level == "warn"] == [f"Before training: {advice[0]}"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"template": "no such: name"},
        {"max_tokens": "0"},
        {"temperature": "3"},
        {"temperature": "nan"},
        {"stop": '["a","b","c","d","e"]'},
        {"allow_contaminated": "yes"},
    ],
)
async def test_metadata_that_cannot_be_read_are_refused_by_name(app: FineTuningApp, metadata: dict[str, str]) -> None:
    with pytest.raises(openai.BadRequestError, match=next(iter(metadata))):
        await created(app, metadata)


async def test_the_decoding_of_a_job_is_read_from_its_metadata(app: FineTuningApp) -> None:
    asked = {"max_tokens": "64", "temperature": "0", "stop": '["\\n\\n", "终"]'}
    job = await _newest(app, await created(app, asked))
    decoding = job.requested.spec.decoding
    assert (decoding.max_tokens, decoding.temperature, decoding.stop) == (64, 0, ("\n\n", "终"))


async def test_a_job_that_ended_before_its_files_check_was_known_has_its_advice_too(app: FineTuningApp) -> None:
    sdk = app.sdk("admin")
    file = await sdk.files.create(file=("r.jsonl", ROWS), purpose="fine-tune")
    job = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id)
    await sdk.fine_tuning.jobs.cancel(job.id)
    await ready(app, file.id, advice=("label each row",))
    assert (await _newest(app, job)).warnings == ["label each row"]
    events = [event async for event in await sdk.fine_tuning.jobs.list_events(job.id)]
    assert [event.message for event in events if event.level == "warn"] == ["Before training: label each row"]

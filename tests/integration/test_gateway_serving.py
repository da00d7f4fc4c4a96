"""The gateway over a real vLLM: versions loaded, names moved, answers passed on."""

import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from safetensors.numpy import save

from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, ModelDeploymentFailed, ModelRolledBack
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, approved, candidate, eventually, review, rows, running, saved
from tests.local_stack import Engine
from tests.ports import free_port
from tests.weights import pair

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

QUESTION = [{"role": "user", "content": "Name three colours."}]


@pytest.fixture
async def gateway(bus_settings: CommonSettings, engine: Engine) -> AsyncIterator[Gateway]:
    async with running(bus_settings, [engine.url], on_demand=1) as gateway, gateway.http() as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready, 60)
        yield gateway


@pytest.fixture
def sdk(gateway: Gateway) -> AsyncOpenAI:
    return gateway.sdk("train", "infer")


def put(settings: CommonSettings, folder: Path) -> Artifact:
    """The adapter in the artifact store, as a trainer puts it there."""
    wanted = {"adapter_config.json", "adapter_model.safetensors"}
    scratch = settings.cache_dir.parent / f"put-{folder.name}"
    shutil.copytree(folder, scratch, ignore=lambda _, names: [n for n in names if n not in wanted], dirs_exist_ok=True)
    return Artifacts(settings.artifacts).put_folder(scratch)


def damaged(scratch: Path, folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """A copy of an adapter's folder whose weights were changed."""
    copy = scratch / f"damaged-{uuid4().hex}"
    shutil.copytree(folder, copy)
    weights = copy / "adapter_model.safetensors"
    weights.write_bytes(change(weights.read_bytes()))
    return copy


async def failures(gateway: Gateway, made: Candidate) -> list[ModelDeploymentFailed]:
    return [failed for failed in await gateway.heard(ModelDeploymentFailed) if failed.candidate == made]


async def status(sdk: AsyncOpenAI, job_id: str, wanted: str) -> Any:
    """The job, once it has the wanted status; None before."""
    job = await sdk.fine_tuning.jobs.retrieve(job_id)
    return job if job.status == wanted else None


async def new_job(sdk: AsyncOpenAI, suffix: str = "colours") -> str:
    file = await sdk.files.create(file=("a.jsonl", rows(12)), purpose="fine-tune")
    return (await sdk.fine_tuning.jobs.create(model=BASE, training_file=file.id, suffix=suffix)).id


async def deploy(gateway: Gateway, sdk: AsyncOpenAI, adapter: Artifact, suffix: str = "colours") -> Candidate:
    """A job whose model was approved, up to the moment at which it succeeded."""
    made = candidate(await new_job(sdk, suffix), adapter=adapter, suffix=suffix)
    await gateway.say(saved(made), approved(made))

    async def succeeded() -> bool:
        return (await sdk.fine_tuning.jobs.retrieve(made.job_id)).status == "succeeded"

    await eventually(succeeded, 60)
    return made


async def ask(sdk: AsyncOpenAI, model: str, max_tokens: int = 12) -> str:
    answer = await sdk.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=max_tokens, temperature=0, seed=1
    )
    assert answer.model == model
    return answer.choices[0].message.content or ""


async def test_an_approved_version_is_called_by_its_names_whole_and_as_a_stream(
    gateway, sdk, adapters, bus_settings
) -> None:
    made = await deploy(gateway, sdk, put(bus_settings, adapters[0]))
    job = await sdk.fine_tuning.jobs.retrieve(made.job_id)
    assert job.fine_tuned_model == made.model_name.removesuffix(":ckpt-step-20")
    whole = await ask(sdk, "colours")
    assert whole == await ask(sdk, job.fine_tuned_model)
    assert whole != await ask(sdk, BASE)
    stream = await sdk.chat.completions.create(
        model="colours", messages=QUESTION, max_tokens=12, temperature=0, seed=1, stream=True
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert {chunk.model for chunk in chunks} == {"colours"}
    raw = await sdk.chat.completions.with_raw_response.create(model="colours", messages=QUESTION, max_tokens=1)
    assert raw.headers["x-assay-version"] == made.version
    cards = {card.id: card for card in (await sdk.models.list()).data}
    assert cards.keys() == {BASE, "colours", job.fine_tuned_model}
    assert (cards["colours"].root, cards["colours"].parent) == (made.version, BASE)
    assert (await sdk.models.retrieve(job.fine_tuned_model)).parent == BASE
    async with gateway.http("admin") as http:
        report = (await http.get(f"/v1/fine_tuning/jobs/{job.id}/report")).json()
    assert report["deployment"]["replicas"] == 1
    assert 0 < report["deployment"]["duration_s"] < 20


async def test_the_name_moves_and_turns_back_under_load_without_a_failed_or_mixed_answer(
    gateway, sdk, adapters, bus_settings, engine
) -> None:
    first = await deploy(gateway, sdk, put(bus_settings, adapters[0]), "moving")
    old = await ask(sdk, "moving")
    answers: dict[str, set[str]] = {}
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            raw = await sdk.chat.completions.with_raw_response.create(
                model="moving", messages=QUESTION, max_tokens=12, temperature=0, seed=1
            )
            text = raw.parse().choices[0].message.content or ""
            answers.setdefault(raw.headers["x-assay-version"], set()).add(text)
            # Without a pause the engine's threads take both cores, and the gateway waits for them.
            await asyncio.sleep(0.1)

    callers = [asyncio.create_task(load()) for _ in range(4)]
    second = await deploy(gateway, sdk, put(bus_settings, adapters[1]), "moving")
    await eventually(lambda: second.version in answers, 60)
    assert await ask(sdk, "moving") != old
    async with gateway.http("admin", "infer") as http:
        told = (await http.post("/v1/models/moving/rollback", json={"reason": "worse"})).json()
        assert (told["version"], told["previous_version"]) == (first.version, second.version)
        # At once: the old version was kept loaded.
        assert await ask(sdk, "moving") == old
        listed = (await http.get("/v1/models/moving/versions")).json()["data"]
        assert [(v["version"], v["current"]) for v in listed] == [(second.version, False), (first.version, True)]
        again = await http.post("/v1/models/moving/rollback")
        assert (again.status_code, again.json()["error"]["code"]) == (400, "no_earlier")
        assert (await http.post("/v1/models/moving/rollback", json={"version": "v-0"})).status_code == 404
        assert (await http.post(f"/v1/models/{BASE}/rollback")).status_code == 404
        assert (await http.post("/v1/models/ft:a/b/rollback")).status_code == 404
        assert (await http.post("/v1/models/moving/rollback", json={"n": 1})).status_code == 400
    async with gateway.http("infer", "train") as http:
        assert (await http.post("/v1/models/moving/rollback")).status_code == 403
    [fact] = await eventually(lambda: gateway.heard(ModelRolledBack))
    assert (fact.alias, fact.version, fact.reason) == ("moving", first.version, "worse")
    async with running(bus_settings, [engine.url]) as another:
        # A gateway that starts later knows it too.
        raw = await another.sdk("infer").models.with_raw_response.retrieve("moving")
        assert raw.parse().root == first.version
        async with another.http("admin") as http:

            async def moved_on() -> bool:
                asked = {"version": second.version}
                return (await http.post("/v1/models/moving/rollback", json=asked)).status_code == 200

            # Not before it has seen the engine itself.
            await eventually(moved_on)

    async def forward() -> bool:
        return await ask(sdk, "moving") != old

    await eventually(forward)
    stop.set()
    # A request that failed would fail its caller.
    await asyncio.gather(*callers)
    assert answers.keys() == {first.version, second.version}
    assert answers[first.version].isdisjoint(answers[second.version])
    # The old version stays for those who name it.
    assert await ask(sdk, first.model_name.removesuffix(":ckpt-step-20")) == old


async def test_an_engine_leaves_its_pool_and_comes_back_with_its_versions(
    gateway, sdk, adapters, bus_settings, engine
) -> None:
    made = await deploy(gateway, sdk, put(bus_settings, adapters[0]), "drained")
    before = await ask(sdk, "drained")
    story = [{"role": "user", "content": "Tell a very long story about the sea."}]
    body = {"model": BASE, "messages": story, "max_tokens": 80, "stream": True, "temperature": 1.5}
    async with gateway.http("admin", "infer") as http:
        async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            await http.put(f"/v1/pools/{BASE}", json={"replicas": []})
            [pool] = (await http.get("/v1/pools")).json()["data"]
            assert [(e["url"], e["state"], e["in_flight"]) for e in pool["engines"]] == [(engine.url, "draining", 1)]
            with pytest.raises(openai.InternalServerError) as refused:
                await ask(sdk, "drained")
            assert refused.value.status_code == 503
            # What was begun is finished.
            assert [line async for line in lines if line][-1] == "data: [DONE]"
        changed = await http.put(
            f"/v1/pools/{BASE}", json={"replicas": [engine.url, f"http://127.0.0.1:{free_port()}"]}
        )
        assert changed.status_code == 200

        async def answered() -> bool:
            [pool] = (await http.get("/v1/pools")).json()["data"]
            return pool["engines"][0]["versions"] == [f"assay-{made.version}"]

        await eventually(answered)
    assert await ask(sdk, "drained") == before


async def test_what_cannot_be_served_fails_as_an_event_with_its_reason_and_the_old_version_serves_on(
    gateway, sdk, adapters, bus_settings, engine, tmp_path
) -> None:
    good = await deploy(gateway, sdk, put(bus_settings, adapters[0]), "steady")
    before = await ask(sdk, "steady")
    lost = Artifact(uri="file:///lost", sha256=hashlib.sha256(b"lost").hexdigest(), bytes=1)
    unfit = {
        "incomplete": (damaged(tmp_path, adapters[1], lambda content: content[:-100]), True),
        "header": (damaged(tmp_path, adapters[1], lambda _: b"\x08\x00\x00\x00\x00\x00\x00\x00{]      "), True),
        "another base model": (damaged(tmp_path, adapters[1], lambda _: save(pair(inputs=7))), True),
        "the adapter has rank 32": (damaged(tmp_path, adapters[1], lambda _: save(pair(rank=32))), True),
    }
    cases = {reason: (put(bus_settings, folder), permanent) for reason, (folder, permanent) in unfit.items()}
    cases["missing from the store"] = (lost, False)
    for reason, (artifact, permanent) in cases.items():
        bad = candidate(await new_job(sdk, "steady"), adapter=artifact, suffix="steady")
        await gateway.say(approved(bad))
        told = await eventually(lambda bad=bad: failures(gateway, bad))
        assert reason in told[0].reason
        assert (told[0].permanent, told[0].attempt, told[0].replica) == (permanent, 1, engine.url)

        async def job_knows(job_id: str = bad.job_id, reason: str = reason, level: str = "warn") -> bool:
            events = (await sdk.fine_tuning.jobs.list_events(job_id)).data
            return any(e.level == level and "Deployment attempt 1" in e.message and reason in e.message for e in events)

        await eventually(lambda know=job_knows, p=permanent: know(level="error" if p else "warn"))
        job = await eventually(lambda id=bad.job_id, p=permanent: status(sdk, id, "failed" if p else "running"))
        assert not permanent or (job.error.code == "deployment_failed" and reason in job.error.message)
        async with gateway.http("admin") as http:
            report = (await http.get(f"/v1/fine_tuning/jobs/{bad.job_id}/report")).json()
        assert reason in report["deployment_problem"]
        assert report["deployment_failed"] is permanent
    raw = await sdk.chat.completions.with_raw_response.create(model="steady", messages=QUESTION, max_tokens=1)
    assert raw.headers["x-assay-version"] == good.version
    assert await ask(sdk, "steady") == before
    # By now a second try of what is unfit would have come.
    tries = Counter(f.candidate.job_id for f in await gateway.heard(ModelDeploymentFailed) if f.permanent)
    assert set(tries.values()) == {1}


async def test_checkpoints_are_loaded_when_their_owner_calls_them(gateway, sdk, adapters, bus_settings) -> None:
    job_id = await new_job(sdk, "steps")
    steps = [candidate(job_id, 10 * (n + 1), put(bus_settings, folder), "steps") for n, folder in enumerate(adapters)]
    await gateway.say(*map(saved, steps), review(steps[1]))

    async def listed() -> bool:
        return len((await sdk.fine_tuning.jobs.checkpoints.list(job_id)).data) == 2

    await eventually(listed)
    answers = [await ask(sdk, step.model_name) for step in steps]
    assert answers[0] != answers[1]
    assert await asyncio.gather(*(ask(sdk, steps[0].model_name) for _ in range(3))) == [answers[0]] * 3
    for another in (gateway.sdk("infer"), gateway.sdk("train", "infer")):
        with pytest.raises(openai.NotFoundError):
            await ask(another, steps[0].model_name)


async def test_chunks_are_passed_on_as_they_come_and_an_engine_is_left_when_the_caller_leaves(
    gateway, sdk, engine
) -> None:
    body = {"model": BASE, "messages": QUESTION, "max_tokens": 1500, "stream": True, "temperature": 1.5}
    times: list[float] = []
    async with gateway.http("infer") as http, http.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for line in answer.aiter_lines():
            times.append(time.monotonic())
            assert json.loads(line.removeprefix("data: "))["model"] == BASE if line else True
            if len(times) == 20:
                break
    assert times[-1] - times[0] > 0.1
    await eventually(lambda: engine.running_requests() == 0, 10)
    async with gateway.http("infer") as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/v1/chat/completions", json={**body, "stream": False}, timeout=1)
    await eventually(lambda: engine.running_requests() == 0, 10)


async def test_what_the_engine_refuses_is_told_in_public_names_and_hostile_requests_leave_it_alive(
    gateway, sdk, adapters, bus_settings
) -> None:
    await deploy(gateway, sdk, put(bus_settings, adapters[0]), "hostile")
    hostile = [
        {"max_tokens": 1_000_000},
        {"temperature": -5},
        {"logit_bias": {"99999999": 100}},
        {"messages": [{"role": "\ud800", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x " * 30_000}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
        {"top_logprobs": 5},
        {"stop": [""]},
        {"seed": 2**80},
    ]
    async with gateway.http("infer") as http:
        for extra in hostile:
            asked = {"model": "hostile", "messages": QUESTION, "max_tokens": 2, **extra}
            answer = await http.post("/v1/chat/completions", content=json.dumps(asked))
            assert answer.status_code in (200, 400), (extra, answer.text)
            if answer.status_code == 400:
                assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
                assert "assay-v" not in answer.text
    assert await ask(sdk, "hostile")


TASK = """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {max_gen_toks: 4, until: ["\\n"]}
metric_list: [{metric: exact_match}]
"""


@pytest.mark.long
async def test_lm_eval_scores_a_model_through_the_gateway(gateway, tmp_path) -> None:
    questions = [{"question": f"Name colour {n}.", "answer": "red"} for n in range(2)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, questions)))
    (tmp_path / "colours.yaml").write_text(TASK.replace("DATA", str(tmp_path / "rows.jsonl")))
    arguments = {"model": BASE, "base_url": f"{gateway.url}/v1/chat/completions", "num_concurrent": 2}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lm_eval", "--model", "local-chat-completions", "--tasks", "colours"),
        *("--model_args", ",".join(f"{name}={value}" for name, value in arguments.items())),
        *("--include_path", tmp_path, "--apply_chat_template", "--output_path", tmp_path / "out"),
        env={**os.environ, "OPENAI_API_KEY": gateway.key("infer"), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    [results] = (tmp_path / "out").rglob("results_*.json") if process.returncode == 0 else [None]
    assert results is not None, said.decode()[-2000:]
    scored = json.loads(results.read_text())
    assert 0 <= scored["results"]["colours"]["exact_match,none"] <= 1
    assert scored["n-samples"]["colours"]["effective"] == 2

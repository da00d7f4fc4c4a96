"""Weights replaced under load: over real NATS, MongoDB, files and HTTP, before engines that the test holds in its hand.

Their answers name the weights that they hold, and like vLLM they hold requests back while they are paused.
"""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from safetensors.numpy import save_file

from services.gateway.common.domain.model_names import loaded_name
from shared.artifacts import Artifacts
from shared.events import Candidate, ModelDeployed, ModelDeploymentFailed
from shared.settings import CommonSettings
from tests.gateway import BASE, Gateway, approved, candidate, eventually, running
from tests.versioned_engine import CHAT, Engine
from tests.weights import MODULE, pair

ALIAS = "address"
POOL = f"{BASE}@{ALIAS}"
ASK = {"model": ALIAS, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / BASE
    folder.mkdir()
    save_file({f"{MODULE}.weight": np.zeros((8, 6), np.float32)}, folder / "model.safetensors")
    return folder


@asynccontextmanager
async def before(settings: CommonSettings, *engines: Engine, gateways: int = 1) -> AsyncIterator[list[Gateway]]:
    """Gateways with a pool of these engines for one stable name."""
    async with AsyncExitStack() as stack:
        for engine in engines:
            await engine.start()
            stack.callback(engine.server.close)  # type: ignore[union-attr]
        urls = [engine.url for engine in engines]
        yield [await stack.enter_async_context(running(settings, urls, POOL)) for _ in range(gateways)]


def adapter(settings: CommonSettings, number: int) -> Candidate:
    """A version whose weights are like no other's."""
    folder = settings.cache_dir.parent / f"adapter-{number}"
    folder.mkdir()
    config = {"peft_type": "LORA", "lora_alpha": 8 + number, "base_model_name_or_path": BASE}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(pair(), folder / "adapter_model.safetensors")
    return candidate(f"job-{number}", adapter=Artifacts(settings.artifacts).put_folder(folder), suffix=ALIAS)


def whole(settings: CommonSettings, root: Path, number: int, inputs: int = 6) -> Candidate:
    """A version that is a whole model."""
    folder = settings.cache_dir.parent / f"whole-{number}"
    shutil.copytree(root, folder)
    save_file({f"{MODULE}.weight": np.full((8, inputs), number, np.float32)}, folder / "model.safetensors")
    made = candidate(f"job-{number}", adapter=Artifacts(settings.artifacts).put_folder(folder), suffix=ALIAS)
    return made.model_copy(update={"tuning": "full", "lora_rank": 0})


async def deploy(gateway: Gateway, made: Candidate) -> None:
    await gateway.say(approved(made))

    async def deployed() -> bool:
        return any(fact.candidate == made for fact in await gateway.heard(ModelDeployed))

    await eventually(deployed)


async def ask(http: httpx.AsyncClient) -> tuple[str, set[str]]:
    """The version that the answer claims, and the weights that it came from."""
    answer = await http.post(CHAT, json=ASK, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == ALIAS
    return answer.headers["x-assay-version"], set(answer.json()["choices"][0]["message"]["content"].split())


def right(version: str, weights: set[str], versions: dict[str, str]) -> bool:
    return len(weights) == 1 and versions[version] in weights.pop()


@pytest.mark.parametrize("replicas", [1, 2])
async def test_under_load_every_answer_comes_from_the_version_that_it_names(bus_settings, root, replicas) -> None:
    engines = [Engine(root) for _ in range(replicas)]
    async with before(bus_settings, *engines) as [gateway], gateway.http("infer") as http:
        lora = [adapter(bus_settings, n) for n in range(2)]
        full = [whole(bus_settings, root, n) for n in range(2, 4)]
        made = [lora[0], full[0], lora[1], full[1]]
        names = {m.version: loaded_name(m) if m.tuning == "lora" else m.adapter.sha256 for m in made}
        await deploy(gateway, made[0])
        seen: Counter[str] = Counter()
        stop = asyncio.Event()

        async def caller() -> None:
            while not stop.is_set():
                version, weights = await ask(http)
                assert right(version, weights, names), (version, weights)
                seen[version] += 1

        callers = [asyncio.create_task(caller()) for _ in range(8)]
        for each in made[1:]:
            await deploy(gateway, each)
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in callers)
        stop.set()
        await asyncio.gather(*callers)
        assert seen.keys() == names.keys()

        async def everywhere() -> bool:
            return all(names[made[-1].version] in engine.weights for engine in engines)

        await eventually(everywhere)
        steps = engines[0].steps
        assert steps[:6] == [
            *("/pause?mode=wait", "/update_weight_version", "/collective_rpc", "/reset_prefix_cache"),
            *("/update_weight_version", "/resume"),
        ]


@pytest.mark.parametrize("step", ["/pause?mode=wait", "/collective_rpc", "/reset_prefix_cache"])
async def test_a_step_that_fails_is_told_and_the_old_weights_come_back(bus_settings, root, step) -> None:
    engine = Engine(root)
    async with before(bus_settings, engine) as [gateway], gateway.http("infer") as http:
        old, new = adapter(bus_settings, 0), adapter(bus_settings, 1)
        await deploy(gateway, old)
        engine.fails.add(step)
        await gateway.say(approved(new))

        async def told() -> list[ModelDeploymentFailed]:
            return await gateway.heard(ModelDeploymentFailed)

        [failure, *_] = await eventually(told)
        assert (failure.candidate, failure.replica, failure.permanent) == (new, engine.url, False)
        engine.fails.clear()
        version, weights = await ask(http)
        names = {made.version: loaded_name(made) for made in (old, new)}
        assert right(version, weights, names)

        async def moved() -> bool:
            return (await ask(http))[0] == new.version

        await eventually(moved)


async def test_what_would_leave_old_weights_in_place_never_pauses_an_engine(bus_settings, root) -> None:
    engine = Engine(root)
    async with before(bus_settings, engine) as [gateway], gateway.http("infer") as http:
        good = adapter(bus_settings, 0)
        await deploy(gateway, good)
        before_it = list(engine.steps)
        await gateway.say(approved(whole(bus_settings, root, 9, inputs=5)))

        async def told() -> list[ModelDeploymentFailed]:
            return await gateway.heard(ModelDeploymentFailed)

        [failure] = await eventually(told)
        assert failure.permanent
        assert MODULE in failure.reason
        assert (await ask(http))[0] == good.version
        assert engine.steps == before_it


async def test_an_engine_that_comes_back_is_asked_for_nothing_before_it_holds_the_version_again(
    bus_settings, root
) -> None:
    engine = Engine(root)
    async with before(bus_settings, engine) as [gateway], gateway.http("infer") as http:
        made = adapter(bus_settings, 0)
        await deploy(gateway, made)
        await engine.start(await engine.die())

        async def answers() -> bool:
            answer = await http.post(CHAT, json=ASK, timeout=30)
            assert answer.status_code in (200, 503)
            if answer.status_code == 200:
                assert loaded_name(made) in answer.json()["choices"][0]["message"]["content"]
            return answer.status_code == 200

        await eventually(answers)


async def test_several_gateways_replace_an_engines_weights_once_and_name_them_right(bus_settings, root) -> None:
    engine = Engine(root)
    async with before(bus_settings, engine, gateways=2) as gateways:
        first, second = adapter(bus_settings, 0), adapter(bus_settings, 1)
        names = {made.version: loaded_name(made) for made in (first, second)}
        await deploy(gateways[0], first)

        async def known() -> bool:
            async with gateways[1].http("infer") as http:
                return (await http.get(f"/v1/models/{ALIAS}")).status_code == 200

        await eventually(known)
        stop = asyncio.Event()

        async def caller(gateway: Gateway, seen: set[str]) -> None:
            async with gateway.http("infer") as http:
                while not stop.is_set():
                    version, weights = await ask(http)
                    assert right(version, weights, names), (version, weights)
                    seen.add(version)

        seen_by: list[set[str]] = [set() for _ in range(8)]
        callers = [asyncio.create_task(caller(gateways[number % 2], seen)) for number, seen in enumerate(seen_by)]

        async def each_has_seen(versions: set[str]) -> None:
            await eventually(lambda: any(task.done() for task in callers) or all(seen == versions for seen in seen_by))
            await asyncio.gather(*(task for task in callers if task.done()))

        await each_has_seen({first.version})
        await deploy(gateways[0], second)
        await each_has_seen({first.version, second.version})
        stop.set()
        await asyncio.gather(*callers)
        assert engine.steps.count("/collective_rpc") == 2

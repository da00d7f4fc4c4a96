"""The compared gateways, each in front of the same mock engine."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np
from safetensors.numpy import save_file

from bench.side_by_side import environment, free_port, running
from bench.stores import stores
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.cloudevents import Envelope, EventData
from shared.events import Candidate, CheckpointSaved, ModelApproved, Split, TrainingMetrics, Verdict
from shared.security import Keyring
from shared.store import Store

BASE, ALIAS = "mock", "support"
_CHAT = "/v1/chat/completions"
_LITELLM_KEY = "sk-bench"
_LONGEST_S = 60.0


@dataclass(frozen=True)
class Target:
    """Where requests go, with which model and key; `on` lists what the gateway does for each request."""

    name: str
    url: str
    model: str
    key: str | None
    on: str


def direct(engine: str) -> Target:
    """No gateway."""
    return Target("direct", engine + _CHAT, BASE, None, "the mock engine itself")


@contextmanager
def litellm(engine: str, folder: Path, core: int) -> Generator[Target]:
    """LiteLLM's proxy with a master key and one model."""
    installed, port, config = environment("litellm", "litellm[proxy]==1.106.2"), free_port(), folder / "litellm.json"
    model = {"model": f"openai/{BASE}", "api_base": f"{engine}/v1", "api_key": "none"}
    settings = {
        "model_list": [{"model_name": ALIAS, "litellm_params": model}],
        "general_settings": {"master_key": _LITELLM_KEY},
    }
    # JSON is YAML too.
    config.write_text(json.dumps(settings))
    command = [installed / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    with running(command, port, core=core, variables=quiet):
        yield Target("litellm", f"http://127.0.0.1:{port}{_CHAT}", ALIAS, _LITELLM_KEY, "1.106.2: key, alias")


@contextmanager
def vllm_router(engine: str, _folder: Path, core: int) -> Generator[Target]:
    """vLLM's router, which has neither keys nor aliases."""
    installed, port = environment("vllm-router", "vllm-router==0.1.17"), free_port()
    options = ["--policy", "round_robin", "--log-level", "error", "--prometheus-port", str(free_port())]
    command = [installed / "vllm-router", "--host", "127.0.0.1", "--port", str(port), "--worker-urls", engine, *options]
    with running(command, port, core=core):
        yield Target("vllm-router", f"http://127.0.0.1:{port}{_CHAT}", BASE, None, "0.1.17: metrics; no keys, no alias")


@contextmanager
def assay(engine: str, folder: Path, core: int) -> Generator[Target]:
    """Assay's gateway, with a version deployed under an alias by an event."""
    on = "key, scope, admission, alias, in-flight limit, metrics, trace id"
    with _assay("assay", on, engine, folder / "assay", core, "services.gateway") as target:
        yield target


@contextmanager
def assay_asgi(engine: str, folder: Path, core: int) -> Generator[Target]:
    """The same gateway without its fast path and its own HTTP client."""
    on = "the same on stock uvicorn and aiohttp"
    with _assay("assay on ASGI", on, engine, folder / "assay-asgi", core, "bench.asgi_gateway") as target:
        yield target


@contextmanager
def _assay(name: str, on: str, engine: str, folder: Path, core: int, module: str) -> Generator[Target]:
    folder.mkdir()
    # A chat request uses neither NATS nor MongoDB, so they run on the other core.
    with gateway({BASE: [engine]}, folder, core, 1 - core, module=module) as running_gateway:
        asyncio.run(_approve(running_gateway, _adapter(running_gateway.artifacts, folder)))
        yield Target(name, running_gateway.url + _CHAT, ALIAS, running_gateway.key, on)


@dataclass(frozen=True)
class Gateway:
    """Assay's gateway with its own NATS and MongoDB, and what is needed to publish events to it."""

    url: str
    key: str
    artifacts: Artifacts
    common: Mapping[str, str]

    async def wait_for_version(self, session: aiohttp.ClientSession, alias: str, version: str, every_s: float) -> None:
        """Poll until the alias means `version`; raises `TimeoutError` after a minute."""
        url, headers = f"{self.url}/v1/models/{alias}", {"authorization": f"Bearer {self.key}"}
        async with asyncio.timeout(_LONGEST_S):
            while True:
                async with session.get(url, headers=headers) as answer:
                    if (await answer.json()).get("root") == version:
                        return
                await asyncio.sleep(every_s)

    @asynccontextmanager
    async def publisher(self) -> AsyncGenerator[Callable[[EventData], Awaitable[None]]]:
        """Yields a function that publishes an event, as another service would."""
        store = Store(self.common["ASSAY_MONGO_URL"], "bench", "bench")
        bus = Bus(self.common["ASSAY_NATS_URL"], "bench", store)
        await bus.start()

        async def send_event(fact: EventData) -> None:
            await bus.publish(Envelope.of(fact, "bench"))

        try:
            yield send_event
        finally:
            await bus.stop()
            store.close()


async def _approve(gateway: Gateway, candidate: Candidate) -> None:
    async with gateway.publisher() as send_event:
        await send_event(approved(candidate))


@contextmanager
def gateway(
    pools: Mapping[str, Sequence[str]],
    folder: Path,
    core: int | None = None,
    others_core: int | None = None,
    prepare_share: float = 1.0,
    module: str = "services.gateway",
) -> Generator[Gateway]:
    """A gateway in front of these pools, with its own stores."""
    port = free_port()
    own = {
        "GATEWAY_ENGINES": json.dumps(pools),
        "GATEWAY_HTTP_PORT": str(port),
        "GATEWAY_PREPARE_SHARE": str(prepare_share),
    }
    started = [sys.executable, "-m", module]
    with (
        stores(folder, others_core) as common,
        running(started, port, core=core, variables={**common, **own}),
    ):
        key = Keyring(folder / "keys.json").create("bench", ("infer",))
        yield Gateway(f"http://127.0.0.1:{port}", key, Artifacts(common["ASSAY_ARTIFACTS"]), common)


def saved(candidate: Candidate) -> CheckpointSaved:
    """The event of a trainer for a saved checkpoint."""
    metrics = TrainingMetrics(step=candidate.step, train_loss=0.1)
    test = Split(artifact=candidate.adapter, rows=1)
    return CheckpointSaved(candidate=candidate, total_steps=candidate.step, metrics=metrics, test=test)


def approved(candidate: Candidate) -> ModelApproved:
    """The event of review for an approved checkpoint."""
    verdict = Verdict(approved=True, mode="automatic", policy="default", rules=(), reason="a benchmark")
    return ModelApproved(candidate=candidate, verdict=verdict)


def _adapter(artifacts: Artifacts, folder: Path) -> Candidate:
    """An adapter that passes the gateway's checks; the mock engine never reads it."""
    weights = folder / "adapter"
    weights.mkdir()
    config = {"peft_type": "LORA", "lora_alpha": 8, "base_model_name_or_path": BASE}
    (weights / "adapter_config.json").write_text(json.dumps(config))
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    matrices = {f"{module}.lora_A.weight": np.ones((8, 16), "f4"), f"{module}.lora_B.weight": np.ones((16, 8), "f4")}
    save_file(matrices, weights / "adapter_model.safetensors")
    return Candidate(
        job_id="ftjob-bench",
        step=1,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay:{ALIAS}:bench:ckpt-step-1",
        adapter=artifacts.put_folder(weights),
        lora_rank=8,
        suffix=ALIAS,
    )

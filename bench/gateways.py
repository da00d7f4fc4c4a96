"""The gateways that are compared, each in front of the same mock engine."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.side_by_side import environment, free_port, running
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.cloudevents import Envelope
from shared.events import Candidate, ModelApproved, Verdict
from shared.security import Keyring
from shared.store import Store

BASE, ALIAS = "mock", "support"
_BIN = Path(sys.executable).parent
_CHAT = "/v1/chat/completions"
_LITELLM_KEY = "sk-bench"


@dataclass(frozen=True)
class Door:
    """Where a gateway is asked, for which model and with which key; `on` tells what it does for each request."""

    name: str
    url: str
    model: str
    key: str | None
    on: str


def direct(engine: str) -> Door:
    """No gateway."""
    return Door("direct", engine + _CHAT, BASE, None, "the mock engine itself")


@contextmanager
def litellm(engine: str, folder: Path, core: int) -> Generator[Door]:
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
        yield Door("litellm", f"http://127.0.0.1:{port}{_CHAT}", ALIAS, _LITELLM_KEY, "1.106.2: key, alias")


@contextmanager
def vllm_router(engine: str, _folder: Path, core: int) -> Generator[Door]:
    """vLLM's own router, which knows neither keys nor names."""
    installed, port = environment("vllm-router", "vllm-router==0.1.17"), free_port()
    options = ["--policy", "round_robin", "--log-level", "error", "--prometheus-port", str(free_port())]
    command = [installed / "vllm-router", "--host", "127.0.0.1", "--port", str(port), "--worker-urls", engine, *options]
    with running(command, port, core=core):
        yield Door("vllm-router", f"http://127.0.0.1:{port}{_CHAT}", BASE, None, "0.1.17: metrics; no keys, no alias")


@contextmanager
def assay(engine: str, folder: Path, core: int) -> Generator[Door]:
    """Assay's gateway over NATS and MongoDB, with a version deployed under an alias by an event."""
    nats, mongo, port = free_port(), free_port(), free_port()
    common = {
        "ASSAY_NATS_URL": f"nats://127.0.0.1:{nats}",
        "ASSAY_MONGO_URL": f"mongodb://127.0.0.1:{mongo}",
        "ASSAY_ARTIFACTS": str(folder / "artifacts"),
        "ASSAY_CACHE_DIR": str(folder / "cache"),
        "ASSAY_KEYS_FILE": str(folder / "keys.json"),
    }
    own = {"GATEWAY_ENGINES": json.dumps({BASE: [engine]}), "GATEWAY_HTTP_PORT": str(port)}
    stores = _nats(nats, folder), _mongo(mongo, folder)
    # These two are asked at starts and swaps, not for a chat request: they do not belong to the gateway's core.
    with running(stores[0], nats, core=1 - core), running(stores[1], mongo, core=1 - core):
        subprocess.run([sys.executable, "-m", "shared.topology"], env={**os.environ, **common}, check=True, timeout=60)
        with running([sys.executable, "-m", "services.gateway"], port, core=core, variables={**common, **own}):
            asyncio.run(_approve(common, folder))
            key = Keyring(folder / "keys.json").create("bench", ("infer",))
            url = f"http://127.0.0.1:{port}{_CHAT}"
            yield Door("assay", url, ALIAS, key, "key, scope, admission, alias, in-flight limit, metrics, trace id")


def _nats(port: int, folder: Path) -> list[str | Path]:
    config = folder / "nats.conf"
    config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}/js" }}\n')
    return [_BIN / "nats-server", "-c", config]


def _mongo(port: int, folder: Path) -> list[str | Path]:
    files = ["--data-dir", folder / "mongo", "--pid-file", folder / "mongo.pid", "--log-file", "/dev/stdout"]
    return [_BIN / "nx-27017", "--host", "127.0.0.1", "-p", str(port), *files]


async def _approve(common: dict[str, str], folder: Path) -> None:
    """Say that a version was approved: the gateway loads it into the engine and gives it the alias."""
    weights = folder / "adapter"
    weights.mkdir()
    (weights / "adapter_config.json").write_text("{}")
    candidate = Candidate(
        job_id="ftjob-bench",
        step=1,
        base_model=BASE,
        model_name=f"ft:{BASE}:assay:{ALIAS}:bench:ckpt-step-1",
        adapter=Artifacts(common["ASSAY_ARTIFACTS"]).put_folder(weights),
        lora_rank=8,
        suffix=ALIAS,
    )
    verdict = Verdict(approved=True, mode="automatic", policy="default", rules=(), reason="a benchmark")
    store = Store(common["ASSAY_MONGO_URL"], "bench", "bench")
    bus = Bus(common["ASSAY_NATS_URL"], "bench", store)
    await bus.start()
    await bus.publish(Envelope.of(ModelApproved(candidate=candidate, verdict=verdict), "bench"))
    await bus.stop()
    store.close()

"""The programs of the local stack: command, environment and ports of each."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.local import vllm
from deploy.local.nats_passwords import url
from deploy.local.settings import BASE_MODEL, LocalSettings
from shared.nats_users import TOPOLOGY, authorization

_BIN = Path(sys.executable).parent
_PYTHON = str(_BIN / "python")


@dataclass(frozen=True)
class Program:
    """One process under supervisord. `ports` maps a setting's name to the port that the program listens on."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    one_shot: bool = False


def programs(settings: LocalSettings, passwords: Mapping[str, str], amx: bool = True) -> tuple[Program, ...]:
    """All programs in start order; the slowest to become ready is first.

    `passwords` are those of NATS's users. Without `amx`, vLLM does not use AMX instructions.
    """
    services = _services(settings, passwords)
    return (_vllm(settings, amx), _nats(settings), _mongo(settings), _topology(settings, passwords), *services)


def nats_config(settings: LocalSettings, passwords: Mapping[str, str]) -> str:
    """NATS for this machine only; each message is written to disk before it is acknowledged."""
    return authorization(passwords) + (
        f'listen: "127.0.0.1:{settings.nats_port}"\n'
        f'http: "127.0.0.1:{settings.nats_monitor_port}"\n'
        "jetstream {\n"
        f"  store_dir: {json.dumps(str(settings.state / 'nats'))}\n"
        "  sync_interval: always\n"
        f"  max_file_store: {settings.nats_max_file_store_gib}GB\n"
        "}\n"
    )


def _nats(settings: LocalSettings) -> Program:
    return Program(
        "nats",
        (str(_BIN / "nats-server"), "-c", str(settings.nats_config_file)),
        ports={"ASSAY_NATS_PORT": settings.nats_port, "ASSAY_NATS_MONITOR_PORT": settings.nats_monitor_port},
    )


def _mongo(settings: LocalSettings) -> Program:
    folder, port = settings.state / "mongo", settings.mongo_port
    files = ("--data-dir", str(folder), "--pid-file", str(folder / "pid"), "--log-file", "/dev/stdout")
    return Program(
        "mongo",
        (str(_BIN / "nx-27017"), "--host", "127.0.0.1", "-p", str(port), *files),
        ports={"ASSAY_MONGO_PORT": port},
    )


def _vllm(settings: LocalSettings, amx: bool) -> Program:
    adapters = {"max-lora-rank": settings.vllm_max_lora_rank, "max-loras": 4, "max-cpu-loras": 16}
    where = settings.base_model_dir, BASE_MODEL, settings.vllm_port
    cache_gib, cores = settings.vllm_kv_cache_gib, settings.vllm_cores
    served = vllm.server(
        *where, cache_gib=cache_gib, amx=amx, cores=cores, adapters=adapters, step_tokens=vllm.STEP_TOKENS
    )
    command = (_PYTHON, "-m", "deploy.local.whole_group", *served.command)
    return Program("vllm", command, served.environment, {"ASSAY_VLLM_PORT": settings.vllm_port})


def _topology(settings: LocalSettings, passwords: Mapping[str, str]) -> Program:
    environment = _common(settings, "topology", url(settings, TOPOLOGY, passwords))
    return Program("topology", (_PYTHON, "-m", "shared.topology"), environment, one_shot=True)


def _services(settings: LocalSettings, passwords: Mapping[str, str]) -> tuple[Program, ...]:
    base_models = json.dumps({BASE_MODEL: str(settings.base_model_dir)})
    engine = {"EVALUATOR_ENGINE_URL": settings.vllm_url}
    pools = {
        "GATEWAY_ENGINES": json.dumps({BASE_MODEL: [settings.vllm_url]}),
        "GATEWAY_MAX_LORA_RANK": str(settings.vllm_max_lora_rank),
        "GATEWAY_PREPARE_SHARE": str(vllm.OTHERS_SHARE),
        "GATEWAY_CONSOLE_SERVICES": json.dumps(_console_services(settings)),
        "ASSAY_HTTP_HOST": settings.gateway_host,
    }
    service = partial(_service, settings, passwords)
    return (
        service("ingest", settings.ingest_port, {"INGEST_BASE_MODELS": base_models}),
        service("trainer", settings.trainer_port, {"TRAINER_BASE_MODELS": base_models}),
        service("evaluator", settings.evaluator_1_port, engine, replica=1),
        service("evaluator", settings.evaluator_2_port, engine, replica=2),
        service("review", settings.review_port, {}),
        service("gateway", settings.gateway_port, pools),
    )


def _console_services(settings: LocalSettings) -> dict[str, str]:
    """The services that have pages, and their addresses; one evaluator draws them for both."""
    ports = {
        "ingest": settings.ingest_port,
        "trainer": settings.trainer_port,
        "evaluator": settings.evaluator_1_port,
        "review": settings.review_port,
    }
    return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


def _service(
    settings: LocalSettings,
    passwords: Mapping[str, str],
    name: str,
    port: int,
    own: dict[str, str],
    replica: int | None = None,
) -> Program:
    instance = name if replica is None else f"{name}-{replica}"
    common = _common(settings, instance, url(settings, name, passwords))
    environment = {**common, f"{name.upper()}_HTTP_PORT": str(port), **own}
    ports = {f"ASSAY_{instance.upper().replace('-', '_')}_PORT": port}
    return Program(instance, (_PYTHON, "-m", f"services.{name}"), environment, ports)


def _common(settings: LocalSettings, instance: str, nats_url: str) -> dict[str, str]:
    return {
        "ASSAY_NATS_URL": nats_url,
        "ASSAY_MONGO_URL": settings.mongo_url,
        "ASSAY_ARTIFACTS": str(settings.state / "artifacts"),
        "ASSAY_CACHE_DIR": str(settings.state / "cache"),
        "ASSAY_KEYS_FILE": str(settings.keys_file),
        "ASSAY_LOG_LEVEL": settings.log_level,
        "ASSAY_HTTP_HOST": "127.0.0.1",
        "ASSAY_INSTANCE": instance,
        "HF_HUB_OFFLINE": "1",
    }

"""Readiness probes for each program: they make a real request instead of only checking the port."""

import time
from collections.abc import Callable

import httpx
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.settings import BASE_MODEL, LocalSettings

Probe = Callable[[], None]
_TIMEOUT_S = 5.0
_COMPLETION_TIMEOUT_S = 60.0


class NotReady(Exception):
    """A program answered, but is not ready."""


def probes(settings: LocalSettings) -> dict[str, Probe]:
    """For each program a probe that returns if it is ready and raises otherwise."""
    services = {
        "ingest": settings.ingest_port,
        "trainer": settings.trainer_port,
        "evaluator-1": settings.evaluator_1_port,
        "evaluator-2": settings.evaluator_2_port,
        "review": settings.review_port,
    }
    return {
        "nats": lambda: get(f"http://127.0.0.1:{settings.nats_monitor_port}/healthz"),
        "mongo": lambda: ping_mongo(settings.mongo_port),
        **{name: _ready_at(f"http://127.0.0.1:{port}/readyz") for name, port in services.items()},
        "vllm": lambda: complete(settings.vllm_url),
        "gateway": _ready_at(f"http://{reachable(settings.gateway_host)}:{settings.gateway_port}/readyz"),
    }


def reachable(host: str) -> str:
    """The address that reaches a server bound to `host` from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104


def wait(probe: Probe, timeout_s: float) -> float:
    """Wait until the probe passes; returns the seconds it took. Raises `NotReady` with the last error."""
    started = time.monotonic()
    while True:
        try:
            probe()
            return time.monotonic() - started
        except (OSError, httpx.HTTPError, NotReady) as error:
            if time.monotonic() - started > timeout_s:
                raise NotReady(f"not ready after {timeout_s:.0f} s: {type(error).__name__}: {error}") from error
        time.sleep(0.3)


def get(url: str) -> None:
    """Raise `NotReady` unless `url` answers 200."""
    response = httpx.get(url, timeout=_TIMEOUT_S, trust_env=False)
    if response.status_code != 200:
        raise NotReady(f"{url} answered {response.status_code}: {response.text[:500]}")


def complete(engine_url: str) -> None:
    """Request one token from the base model: vLLM's `/health` answers 200 even if its engine is dead."""
    get(f"{engine_url}/health")
    response = httpx.post(
        f"{engine_url}/v1/completions",
        json={"model": BASE_MODEL, "prompt": "Hello", "max_tokens": 1},
        timeout=_COMPLETION_TIMEOUT_S,
        trust_env=False,
    )
    if response.status_code != 200 or not response.json()["choices"]:
        raise NotReady(f"{engine_url} failed to complete a prompt: {response.status_code}: {response.text[:500]}")


def ping_mongo(port: int) -> None:
    """Raise `NotReady` unless the server answers a ping by MongoDB's driver."""
    with MongoClient[dict[str, object]]("127.0.0.1", port, serverSelectionTimeoutMS=int(_TIMEOUT_S * 1000)) as client:
        try:
            client.admin.command("ping")
        except PyMongoError as error:
            raise NotReady(f"mongo did not answer a ping: {error}") from error


def _ready_at(url: str) -> Probe:
    return lambda: get(url)

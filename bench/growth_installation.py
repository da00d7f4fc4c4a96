"""One installation of `bench.growth`: its own stores, engine and five services, with so many jobs; and its actions."""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import psutil
from safetensors.numpy import save_file

from bench.gateways import BASE, Gateway, approved
from bench.growth_documents import FILE_ID, fill
from bench.side_by_side import free_port, running
from bench.stores import stores
from shared.artifacts import Artifacts
from shared.cloudevents import EventData
from shared.events import Candidate
from shared.security import Keyring

SERVICES = ("gateway", "trainer", "ingest", "evaluator", "review")
_START_S = 300.0
ALIAS = "growth"
_MODULE = "base_model.model.model.layers.0.self_attn.q_proj"
_POLL_S = 0.005


@dataclass
class Installation:
    """The services, and the times of each action in seconds."""

    jobs: int
    gateway: Gateway
    trainer_url: str
    processes: Mapping[str, psutil.Process]
    folder: Path
    took_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    swaps: int = 0

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each process and its children."""
        found: dict[str, float] = {}
        for name, process in self.processes.items():
            family = [process, *process.children(recursive=True)]
            found[name] = sum(each.memory_info().rss for each in family) / 2**20
        return found

    async def measure(self, action: str, repeats: int, client: aiohttp.ClientSession) -> None:
        """Do one of `create`, `list`, `open` and `chat` so many times."""
        ask = {"create": self._create, "list": self._list, "open": self._open, "chat": self._chat}[action]
        await self._timed(action, repeats, lambda: ask(client))

    async def swap(self, repeats: int, client: aiohttp.ClientSession) -> None:
        """Approve versions one after another, and wait each time until the alias means the new one."""
        async with self.gateway.publisher() as send_event:
            for _ in range(repeats):
                candidate = self._candidate()
                await self._timed("swap", 1, lambda made=candidate: self._swap(client, send_event, made))

    async def _timed(self, action: str, repeats: int, act: Callable[[], Awaitable[None]]) -> None:
        for _ in range(repeats):
            started = time.perf_counter()
            await act()
            self.took_s.setdefault(action, []).append(time.perf_counter() - started)

    async def _swap(
        self, client: aiohttp.ClientSession, send_event: Callable[[EventData], Awaitable[None]], made: Candidate
    ) -> None:
        await send_event(approved(made))
        await self.gateway.wait_for_version(client, ALIAS, made.version, _POLL_S)

    async def _create(self, client: aiohttp.ClientSession) -> None:
        body = {"model": BASE, "training_file": FILE_ID}
        await self._ask(client, "POST", f"{self.gateway.url}/v1/fine_tuning/jobs", body)

    async def _list(self, client: aiohttp.ClientSession) -> None:
        """The first page, and the page after it."""
        url = f"{self.gateway.url}/v1/fine_tuning/jobs?limit=20"
        first = json.loads(await self._ask(client, "GET", url))
        await self._ask(client, "GET", f"{url}&after={first['data'][-1]['id']}")

    async def _open(self, client: aiohttp.ClientSession) -> None:
        """A job's details, its events, and the page of its run."""
        job_id = f"ftjob-{(self.jobs // 20 - 1) * 20:012}"
        url = f"{self.gateway.url}/v1/fine_tuning/jobs/{job_id}"
        await self._ask(client, "GET", url)
        await self._ask(client, "GET", f"{url}/events?limit=20")
        await self._ask(client, "GET", f"{self.trainer_url}/console/trainer/jobs/{job_id}")

    async def _chat(self, client: aiohttp.ClientSession) -> None:
        body = {"model": BASE, "messages": [{"role": "user", "content": "Hello"}]}
        await self._ask(client, "POST", f"{self.gateway.url}/v1/chat/completions", body)

    async def _ask(self, client: aiohttp.ClientSession, method: str, url: str, body: object = None) -> bytes:
        headers = {"authorization": f"Bearer {self.gateway.key}"}
        async with client.request(method, url, json=body, headers=headers) as answer:
            content = await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{method} {url}: {answer.status} {content[:500]!r}")
            return content

    def _candidate(self) -> Candidate:
        """A new version that passes the gateway's checks; the mock engine never reads it."""
        self.swaps += 1
        weights = self.folder / f"adapter-{self.swaps}"
        weights.mkdir()
        config = {"peft_type": "LORA", "lora_alpha": 8, "base_model_name_or_path": BASE}
        (weights / "adapter_config.json").write_text(json.dumps(config))
        a, b = np.full((8, 16), self.swaps, "f4"), np.ones((16, 8), "f4")
        save_file({f"{_MODULE}.lora_A.weight": a, f"{_MODULE}.lora_B.weight": b}, weights / "adapter_model.safetensors")
        return Candidate(
            job_id=f"ftjob-swap-{self.swaps}",
            step=1,
            base_model=BASE,
            model_name=f"ft:{BASE}:assay:{ALIAS}:{self.swaps}",
            adapter=self.gateway.artifacts.put_folder(weights),
            lora_rank=8,
            suffix=ALIAS,
        )


@contextmanager
def installation(jobs: int, folder: Path) -> Generator[Installation]:
    """Start the services, which make their collections, fill these, and start the services again."""
    folder.mkdir()
    with ExitStack() as stack:
        common = stack.enter_context(stores(folder))
        engine = free_port()
        stack.enter_context(running([sys.executable, "-m", "bench.mock_engine", str(engine)], engine))
        keyring = Keyring(folder / "keys.json")
        key = keyring.create("bench", ("infer", "train"))
        own = {
            "GATEWAY_ENGINES": json.dumps({BASE: [f"http://127.0.0.1:{engine}"]}),
            "TRAINER_KEEP_READY": "false",
            "INGEST_KEEP_READY": "false",
            "EVALUATOR_ENGINE_URL": f"http://127.0.0.1:{engine}",
        }
        with running_services(("gateway", "trainer"), {**common, **own}):
            pass
        [key_of_bench] = keyring.keys()
        started = time.perf_counter()
        fill(folder / "mongo", jobs, key_of_bench.person)
        print(f"{jobs} jobs written in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        found = stack.enter_context(running_services(SERVICES, {**common, **own}))
        urls = {name: f"http://127.0.0.1:{port}" for name, (_, port) in found.items()}
        gateway = Gateway(urls["gateway"], key, Artifacts(common["ASSAY_ARTIFACTS"]), common)
        yield Installation(jobs, gateway, urls["trainer"], {name: each for name, (each, _) in found.items()}, folder)


@contextmanager
def running_services(
    names: tuple[str, ...], variables: Mapping[str, str]
) -> Generator[dict[str, tuple[psutil.Process, int]]]:
    """Each service as a process, with its port."""
    with ExitStack() as stack:
        found: dict[str, tuple[psutil.Process, int]] = {}
        for name in names:
            port = free_port()
            own = {**variables, f"{name.upper()}_HTTP_PORT": str(port)}
            command = [sys.executable, "-m", f"services.{name}"]
            process = stack.enter_context(running(command, port, variables=own, timeout_s=_START_S))
            found[name] = (psutil.Process(process.pid), port)
        yield found

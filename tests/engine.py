"""A real vLLM with the local stack's own flags, and adapters for it whose weights are random."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from deploy.local import processor
from deploy.local.base_model import unpack
from deploy.local.programs import Program, programs
from deploy.local.settings import LocalSettings
from tests.conftest import MODELS, free_port

MakeAdapter = Callable[[int], Path]
READY_TIMEOUT_S = 300


@dataclass
class VllmServer:
    """An engine that can be killed and started again on its port."""

    url: str
    program: Program
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.program.command,
                env={**os.environ, **self.program.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._answers():
            assert self.process is not None
            assert self.process.poll() is None, f"vLLM ended: {self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"vLLM is not ready: {self.log.read_text()[-3000:]}"
            time.sleep(0.5)

    def kill(self) -> None:
        """`kill -9`, with everything that it started."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def running_requests(self) -> float:
        """How many requests the engine works on now."""
        lines = httpx.get(f"{self.url}/metrics", timeout=20).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_running"))

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/models", timeout=5).is_success
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> LocalSettings:
    """A local stack's settings, with the base model unpacked where they say."""
    settings = LocalSettings(
        state_dir=tmp_path_factory.mktemp("stack"), models_dir=MODELS, vllm_port=free_port(), vllm_kv_cache_gib=1
    )
    unpack(settings.base_model_dir)
    return settings


@pytest.fixture(scope="session")
def engine(base_model: LocalSettings) -> Iterator[VllmServer]:
    amx = not processor.faults_on_amx()
    program = next(program for program in programs(base_model, amx) if program.name == "vllm")
    extra = {} if amx else processor.environment_without_amx()
    program = replace(program, environment={**program.environment, **extra})
    server = VllmServer(base_model.vllm_url, program, base_model.state / "vllm.log")
    server.start()
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def make_adapter(base_model: LocalSettings, tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Makes the folder of a rank-4 LoRA adapter; each seed gives other weights, strong enough to change answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    def make(seed: int) -> Path:
        torch.manual_seed(seed)
        base = AutoModelForCausalLM.from_pretrained(base_model.base_model_dir, dtype=torch.bfloat16)
        config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        folder = tmp_path_factory.mktemp(f"adapter-{seed}")
        get_peft_model(base, config).save_pretrained(folder)
        return folder

    return make

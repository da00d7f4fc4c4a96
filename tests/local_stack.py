"""The local stack on free ports in a separate folder (vLLM alone or everything), and adapters with random weights.

An engine takes a minute to start, so all tests of a run share one: the stack is started around it.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest

from deploy.local import stack
from deploy.local.base_model import unpack
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Supervisor
from shared.security import Keyring, Scope
from tests.ports import free_port

MakeAdapter = Callable[[int], Path]
PORTS = [name for name in LocalSettings.model_fields if name.endswith("_port")]
# Where the checkout's own stack keeps its base model: it is unpacked once for all.
MODELS = Path(__file__).parents[1] / ".assay" / "models"


Say = Callable[[str], None]


@dataclass
class Engine:
    """The stack's vLLM."""

    url: str

    def running_requests(self) -> int:
        """The number of requests that the engine is processing."""
        return self._sum("vllm:num_requests_running")

    def answered_requests(self) -> int:
        """The number of requests that the engine has answered."""
        return self._sum("vllm:request_success_total")

    def _sum(self, metric: str) -> int:
        lines = httpx.get(f"{self.url}/metrics", timeout=60).text.splitlines()
        return int(sum(float(line.split()[-1]) for line in lines if line.startswith(metric)))


@dataclass
class LocalStack:
    """A running stack: inspect it, call it, and kill its processes."""

    settings: LocalSettings

    @property
    def url(self) -> str:
        return self.settings.gateway_url

    def client(self, *scopes: Scope) -> openai.OpenAI:
        """The official SDK with a key that has these scopes."""
        key = Keyring(self.settings.keys_file).create("test", scopes or ("admin",))
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, timeout=120, max_retries=5)

    def get(self, port: int, path: str) -> httpx.Response:
        """Send a request to one service with an admin key."""
        key = self.settings.admin_key_file.read_text().strip()
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {key}"}, timeout=30)

    def kill(self, program: str) -> int:
        """`kill -9` one process; returns its pid."""
        [pid] = [state["pid"] for state in Supervisor(self.settings).states() if state["name"] == program]
        os.kill(pid, signal.SIGKILL)
        return pid

    def report(self, job_id: str) -> dict:
        return self.get(self.settings.gateway_port, f"/v1/fine_tuning/jobs/{job_id}/report").json()


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Say:
    """Print progress to the terminal, although pytest captures output."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"… {line}", file=sys.stderr, flush=True)

    return tell


@pytest.fixture(scope="session")
def local_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    """Settings of a stack; afterwards every process of the stack is stopped."""
    folder = tmp_path_factory.mktemp("assay")
    settings = LocalSettings(state_dir=folder, models_dir=MODELS, **{name: free_port() for name in PORTS})
    yield settings
    stack.down(settings, print)


@pytest.fixture(scope="session")
def base_model(local_settings: LocalSettings) -> LocalSettings:
    """The stack's settings, with the base model unpacked."""
    unpack(local_settings.base_model_dir)
    return local_settings


@pytest.fixture(scope="session")
def engine(local_settings: LocalSettings, say: Say) -> Engine:
    """vLLM alone; a stack that is started later uses it."""
    stack.up(local_settings, say, only=("vllm",))
    return Engine(local_settings.vllm_url)


@pytest.fixture(scope="session")
def local_stack(local_settings: LocalSettings, say: Say) -> LocalStack:
    stack.up(local_settings, say)
    return LocalStack(local_settings)


@pytest.fixture(scope="session")
def make_adapter(base_model: LocalSettings, tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Make a rank-4 LoRA adapter; each seed gives different weights, large enough to change answers."""
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


@pytest.fixture(scope="session")
def adapters(make_adapter: MakeAdapter) -> tuple[Path, Path]:
    """Two random adapters that change the model's answers."""
    return make_adapter(1), make_adapter(2)

"""The whole local stack, on free ports and in a folder of its own."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import nats
import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from deploy.local import stack
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Supervisor
from shared.cloudevents import Envelope
from shared.security import Keyring, Scope
from shared.topology import EVENTS_STREAM
from tests.conftest import MODELS, free_port

PORTS = [name for name in LocalSettings.model_fields if name.endswith("_port")]
EXAMPLES = Path(__file__).parents[2] / "examples" / "address-extraction"
BASE = "smollm2-135m-instruct"
TERMINAL = ("succeeded", "failed", "cancelled")


@dataclass
class LocalStack:
    """A running stack and the ways to look at it, call it, and hurt it."""

    settings: LocalSettings

    @property
    def url(self) -> str:
        return self.settings.gateway_url

    def client(self, *scopes: Scope) -> openai.OpenAI:
        """The official SDK with a key of these scopes."""
        key = Keyring(self.settings.keys_file).create("test", scopes or ("admin",))
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, timeout=120, max_retries=5)

    def get(self, port: int, path: str) -> httpx.Response:
        """Ask one service, as the administrator."""
        key = self.settings.admin_key_file.read_text().strip()
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {key}"}, timeout=30)

    def kill(self, program: str) -> int:
        """`kill -9` one process; returns the pid that it had."""
        [pid] = [state["pid"] for state in Supervisor(self.settings).states() if state["name"] == program]
        os.kill(pid, signal.SIGKILL)
        return pid

    def report(self, job_id: str) -> dict:
        return self.get(self.settings.gateway_port, f"/v1/fine_tuning/jobs/{job_id}/report").json()


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    folder = tmp_path_factory.mktemp("assay")
    settings = LocalSettings(state_dir=folder, models_dir=MODELS, **{name: free_port() for name in PORTS})
    try:
        stack.up(settings, print)
        yield LocalStack(settings)
    finally:
        stack.down(settings, print)


def eventually(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for something to become true, and say what it was when it does not."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:.0f} s for: {what}")
        time.sleep(0.5)


def finished(client: openai.OpenAI, job_id: str, timeout_s: float = 500) -> FineTuningJob:
    """The job once it has ended, however it did."""
    deadline = time.monotonic() + timeout_s
    while (job := client.fine_tuning.jobs.retrieve(job_id)).status not in TERMINAL:
        assert time.monotonic() < deadline, f"job still {job.status} after {timeout_s:.0f} s"
        time.sleep(1)
    return job


async def stream_of(settings: LocalSettings) -> list[bytes]:
    """Every event of the stream as it lies there, oldest first."""
    client = await nats.connect(settings.nats_url)
    js = client.jetstream()
    last = (await js.stream_info(EVENTS_STREAM)).state.last_seq
    messages = [await js.get_msg(EVENTS_STREAM, seq) for seq in range(1, last + 1)]
    await client.close()
    return [message.data or b"" for message in messages]


async def events_of(settings: LocalSettings, job_id: str) -> list[Envelope]:
    """The events about one job, oldest first."""
    envelopes = [Envelope.model_validate_json(data) for data in await stream_of(settings)]
    return [envelope for envelope in envelopes if envelope.subject == job_id]

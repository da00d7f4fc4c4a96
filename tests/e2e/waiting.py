"""Waits of the end-to-end tests, and their reads of the event stream."""

import time
from collections.abc import Callable
from pathlib import Path

import nats
import openai
from openai.types.fine_tuning import FineTuningJob

from deploy.local.nats_passwords import operator_url
from deploy.local.settings import LocalSettings
from shared.cloudevents import Envelope
from tests.jetstream import stored_messages

EXAMPLES = Path(__file__).parents[2] / "examples" / "address-extraction"
BASE = "smollm2-135m-instruct"
TERMINAL = ("succeeded", "failed", "cancelled")


def eventually(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until a condition holds; a timeout names the condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:.0f} s for: {what}")
        time.sleep(0.5)


def finished(client: openai.OpenAI, job_id: str, timeout_s: float = 1500) -> FineTuningJob:
    """The job once it has ended, with any status."""
    deadline = time.monotonic() + timeout_s
    while (job := client.fine_tuning.jobs.retrieve(job_id)).status not in TERMINAL:
        assert time.monotonic() < deadline, f"job still {job.status} after {timeout_s:.0f} s"
        time.sleep(1)
    return job


async def stream_of(settings: LocalSettings) -> list[bytes]:
    """Every stored event: facts and requests, then progress, each the oldest first."""
    client = await nats.connect(operator_url(settings))
    messages = await stored_messages(client.jetstream())
    await client.close()
    return [message.data or b"" for message in messages]


async def events_of(settings: LocalSettings, subject: str, event_type: str | None = None) -> list[Envelope]:
    """The events about one job or another subject, oldest first."""
    envelopes = [Envelope.model_validate_json(data) for data in await stream_of(settings)]
    about = [envelope for envelope in envelopes if envelope.subject == subject]
    return [envelope for envelope in about if event_type in (None, envelope.type)]

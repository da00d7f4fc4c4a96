"""Counted background requests while something else happens."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock

import openai


@dataclass
class Load:
    """Small chat requests without retries, distributed over `models`."""

    client: openai.OpenAI
    models: list[str]
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def running(self, workers: int = 2) -> Generator["Load"]:
        """Keep `workers` requests running until the block ends."""
        with ThreadPoolExecutor(workers) as pool:
            for number in range(workers):
                pool.submit(self._work, self.models[number % len(self.models)])
            try:
                yield self
            finally:
                self._stop.set()

    def _work(self, model: str) -> None:
        client = self.client.with_options(max_retries=0)
        while not self._stop.is_set():
            failure = None
            try:
                client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": "Say a number."}], max_tokens=8
                )
            except openai.OpenAIError as error:
                failure = f"{model}: {type(error).__name__}: {error}"
            with self._lock:
                self.sent += 1
                if failure:
                    self.failures.append(failure)

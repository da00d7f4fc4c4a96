"""`make demo`: from a file of examples to a served model on this machine, step by step."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
from openai.types.fine_tuning import FineTuningJob
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from deploy.local import screen, stack
from deploy.local.load import Load
from deploy.local.settings import BASE_MODEL, LocalSettings
from deploy.local.supervision import SupervisionError

EXAMPLES = Path(__file__).parents[2] / "examples" / "address-extraction" / "train.jsonl"
SUFFIX = "address-extractor"
QUESTION = "hi its Marta Lindgren, pls send the kettle to 48 Harbour Lane, Brighton BN2 7QF. my nr is 07700 900412 thx"
# Two checkpoints, because scoring and training share the cores. 1.5 epochs are enough for the example; "auto" would
# train twelve epochs on so few rows, which takes a quarter of an hour on a laptop.
_METHOD: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1.5, "n_checkpoints": 2}}}
_TERMINAL = ("succeeded", "failed", "cancelled")
_POLL_S = 2.0
_AFTERGLOW_S = 3.0
_TOLD_STEPS = 10


@dataclass
class Watch:
    """The known state of a running job; `update` refreshes it."""

    client: openai.OpenAI
    job: FineTuningJob
    started: float = field(default_factory=time.monotonic)
    losses: list[float] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    """Messages not printed yet, for output without a live table."""
    _seen: set[str] = field(default_factory=set)

    def update(self) -> None:
        self.job = self.client.fine_tuning.jobs.retrieve(self.job.id)
        new: list[Any] = []
        for event in self.client.fine_tuning.jobs.list_events(self.job.id, limit=100):
            if event.id in self._seen:
                break
            new.append(event)
        for event in reversed(new):
            self._seen.add(event.id)
            self._add(event)

    def _add(self, event: Any) -> None:
        if event.type != "metrics":
            self.messages.append(event.message)
            self.news.append(event.message)
            return
        if (event.data or {}).get("step", 0) % _TOLD_STEPS == 0:
            self.news.append(event.message)
        self.metrics = {**self.metrics, **(event.data or {})}
        if (loss := self.metrics.get("train_loss")) is not None:
            self.losses.append(loss)

    @property
    def trained(self) -> bool:
        return self.ended or any(message.startswith("Training finished") for message in self.messages)

    @property
    def ended(self) -> bool:
        return self.job.status in _TERMINAL

    def render(self) -> Group:
        elapsed_s = time.monotonic() - self.started
        return screen.progress(self.job, elapsed_s, self.metrics, self.losses, self.messages[-6:])


def main() -> int:
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    console = Console(record=recording is not None, width=110 if recording else None)
    began = time.monotonic()
    settings = LocalSettings()
    console.rule("[bold]Assay: from a file of examples to a served model")
    try:
        stack.up(settings, console.print)
    except (stack.StackError, SupervisionError) as error:
        console.print(f"[red]{error}")
        return 1
    console.print(f"[green]✓[/] everything runs after {time.monotonic() - began:.0f} s")
    console.print(f"watch it in the console: {stack.sign_in_link(settings)}", soft_wrap=True)
    code = _run(console, settings)
    console.print(f"[bold]done in {time.monotonic() - began:.0f} s[/]")
    if recording:
        # Without the addresses of fonts that a browser would load from another site.
        picture = re.sub(r',\s*url\("https:[^)]*\) format\("\w+"\)', "", console.export_svg(title="make demo"))
        recording.write_text(picture)
    return code


def _run(console: Console, settings: LocalSettings) -> int:
    key = settings.admin_key_file.read_text().strip()
    client = openai.OpenAI(base_url=f"{settings.gateway_url}/v1", api_key=key, timeout=120)
    watch = Watch(client, _start_job(console, client))
    load = Load(client, _swapped_names(client))
    _follow(console, watch, load)
    report = httpx.get(
        f"{settings.gateway_url}/v1/fine_tuning/jobs/{watch.job.id}/report", headers={"authorization": f"Bearer {key}"}
    ).json()
    console.print(watch.render(), screen.scores(report), screen.verdict(report))
    if watch.job.status != "succeeded":
        console.print(f"[red]the job ended as {watch.job.status}: {watch.job.error}")
        return 1
    console.print(screen.swap(report, load.models, load.sent, load.failures))
    _ask(console, client)
    console.print(_ways_on(settings))
    return 1 if load.failures else 0


def _start_job(console: Console, client: openai.OpenAI) -> FineTuningJob:
    with EXAMPLES.open("rb") as file:
        uploaded = client.files.create(file=file, purpose="fine-tune")
    console.print(f"[green]✓[/] uploaded {EXAMPLES.name}, {uploaded.bytes} bytes, as {uploaded.id}")
    job = client.fine_tuning.jobs.create(
        model=BASE_MODEL, training_file=uploaded.id, suffix=SUFFIX, seed=7, method=_METHOD
    )
    console.print(f"[green]✓[/] job {job.id} on {job.model}")
    return job


def _swapped_names(client: openai.OpenAI) -> list[str]:
    """The base model, and the stable name if an earlier run left one."""
    known = {model.id for model in client.models.list()}
    return [BASE_MODEL, SUFFIX] if SUFFIX in known else [BASE_MODEL]


def _follow(console: Console, watch: Watch, load: Load) -> None:
    """Watch until training has ended, then add load and watch until verdict and deployment."""
    with _shown(console, watch) as show:

        def watch_until(done: Callable[[], bool]) -> None:
            while not done():
                watch.update()
                show()
                time.sleep(_POLL_S)

        watch_until(lambda: watch.trained)
        with load.running():
            watch_until(lambda: watch.ended)
            time.sleep(_AFTERGLOW_S)
        watch.update()
        show()


@contextmanager
def _shown(console: Console, watch: Watch) -> Generator[Callable[[], None]]:
    """Yields a function to call after each update: it redraws a table in a terminal, else it prints new lines."""
    if not console.is_terminal:
        yield lambda: _print_news(console, watch)
        return
    with Live(watch.render(), console=console, refresh_per_second=2, transient=True) as live:
        yield lambda: live.update(watch.render())


def _print_news(console: Console, watch: Watch) -> None:
    for message in watch.news:
        console.print(Text(f"· {message}"), soft_wrap=True)
    watch.news.clear()


def _ask(console: Console, client: openai.OpenAI) -> None:
    """A question that is not in the data, answered by the base model and by the new one."""
    with EXAMPLES.open() as file:
        system = json.loads(file.readline())["messages"][0]
    console.print(Panel(QUESTION, title="A question that is not in the data"))
    for model in (BASE_MODEL, SUFFIX):
        answer = client.chat.completions.create(
            model=model, messages=[system, {"role": "user", "content": QUESTION}], max_tokens=100, temperature=0
        )
        console.print(Panel(Text(answer.choices[0].message.content or ""), title=model))


def _ways_on(settings: LocalSettings) -> Panel:
    key = os.path.relpath(settings.admin_key_file)
    body = json.dumps({"model": SUFFIX, "messages": [{"role": "user", "content": "Ship to Ada, 1 Elm Road, York"}]})
    return Panel(
        f"The stack keeps running. The gateway is {settings.gateway_url}; the admin key is in {key}.\n"
        f"The job in the console, signed in once: {stack.sign_in_link(settings)}\n\n"
        f"curl {settings.gateway_url}/v1/chat/completions -H 'content-type: application/json' \\\n"
        f'  -H "authorization: Bearer $(cat {key})" \\\n'
        f"  -d '{body}'\n\n"
        "make link · make status · make logs · make down",
        title="Next",
    )


if __name__ == "__main__":
    raise SystemExit(main())

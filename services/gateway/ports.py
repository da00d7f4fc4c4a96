"""What the gateway needs from the outside."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from services.gateway.domain import (
    audit,
    checkpoint,
    deployment,
    files,
    job,
    limits,
    messages,
    ownership,
    pool,
    routing,
    swap,
    usage,
    webhooks,
)
from services.gateway.domain.adapter import AdapterFiles
from services.gateway.domain.pages import Cursor, Page
from shared.cloudevents import Envelope, EventData
from shared.events import Artifact
from shared.security import Key
from shared.store import Entity
from shared.throttle import Wait
from shared.weights.header import Tensor


class FileView(files.StoredFile, Entity):
    """A file as it is kept."""


class JobView(job.Job, Entity):
    """A job as it is kept."""


class MessageView(messages.JobMessage, Entity):
    """An entry of a job's event list as it is kept."""


class CheckpointView(checkpoint.Checkpoint, Entity):
    """A checkpoint as it is kept."""


class DeploymentView(deployment.Deployment, Entity):
    """The wish to serve a version, and how far it came, as it is kept."""


class AliasView(deployment.Alias, Entity):
    """A stable name that was turned back, as it is kept."""


class ClaimView(ownership.Claim, Entity):
    """A stable name and its owner as they are kept."""


class PermissionView(ownership.Permission, Entity):
    """A permission as it is kept."""


class AuditView(audit.AuditEntry, Entity):
    """An entry of the audit log as it is kept."""


class PoolView(pool.Pool, Entity):
    """A pool as it is kept."""


class LeaseView(swap.Lease, Entity):
    """Who replaces weights in a pool, as it is kept."""


class RouteView(routing.Route, Entity):
    """How an alias's requests are shared out, as it is kept."""


class WebhookView(webhooks.Webhook, Entity):
    """An endpoint as it is kept."""


class DeliveryView(webhooks.Delivery, Entity):
    """A call of an endpoint as it is kept."""


class CursorView(webhooks.Cursor, Entity):
    """How far the stream was read, as it is kept."""


class UsageView(usage.Usage, Entity):
    """What a key used in a day as it is kept, in the collection `usage`."""


V = TypeVar("V", bound=Entity)
Decide = Callable[[V], tuple[V, Sequence[EventData]] | None]


class Views(Protocol[V]):
    """Keeps views of one kind; a view and the events that follow from its change are saved together."""

    async def get(self, entity_id: str) -> V | None: ...

    async def create(self, entity: V, events: Sequence[EventData] = ()) -> bool: ...

    async def change(self, entity_id: str, decide: Decide[V]) -> V | None: ...

    async def settle(self, empty: V, decide: Decide[V]) -> V:
        """Change a view, which is `empty` before anything was heard of it."""
        ...

    async def where(self, **fields: Any) -> list[V]:
        """The views whose fields equal these; a nested field is written with two underscores."""
        ...

    async def page(
        self, cursor: Cursor, *, oldest_first: bool = False, labelled: Sequence[str] = (), **fields: Any
    ) -> Page[V]:
        """A page of them by their time, of those with all of these `labels`.

        Raises `BadRequest` when the cursor's entry is not there.
        """
        ...


class KeyStore(Protocol):
    """The API keys that all services share; what writes raises `Unavailable` while NATS is away."""

    def all(self) -> Sequence[Key]: ...

    async def get(self, key_id: str) -> Key | None: ...

    async def create(self, key: Key) -> None: ...

    async def change(self, key_id: str, decide: Callable[[Key], Key]) -> Key | None:
        """Change a key, atomically; None when it is not there. `decide` may be asked again, so it must be pure."""
        ...


class ArtifactStore(Protocol):
    """Artifacts by digest; each raises `ArtifactError` for what is missing or damaged."""

    def put_file(self, path: Path) -> Artifact: ...

    def read(self, artifact: Artifact) -> bytes: ...

    def fetch_folder(self, artifact: Artifact, cache: Path, wait: Wait) -> Path: ...


class WeightFolders(Protocol):
    """Weights on a disk that engines read too; each raises `UnfitWeights` for what is damaged."""

    def adapter(self, folder: Path) -> AdapterFiles: ...

    def whole(self, folder: Path) -> Mapping[str, Tensor]:
        """The tensors of a whole model."""
        ...

    async def merge(self, root: str, adapter: Path, target: Path) -> None:
        """Write the base model's weights with an adapter's added into `target`, whole or not at all."""
        ...

    async def close(self) -> None:
        """End what merges."""
        ...

    def base(self, root: str) -> Mapping[str, Tensor]:
        """The base model's tensors below an engine's own path; empty where nothing of it can be read from here."""
        ...


class EngineUnreachable(Exception):
    """An engine gave no answer: it is not there, or broke off before the first byte."""


class EngineGone(EngineUnreachable):
    """Nobody listens where the engine should be."""


class EngineError(Exception):
    """An engine refused; the message is its own."""


class Sink(Protocol):
    """Where a stream goes."""

    def take(self, events: Sequence[bytes]) -> bool:
        """Server-sent events, each to leave by itself; false when the reader is slow and no more should come."""
        ...

    async def drained(self) -> None:
        """Wait until more may come."""
        ...


class Answer(Protocol):
    """An engine's answer whose body was not read yet."""

    status: int

    async def read(self) -> bytes:
        """The whole body; raises `EngineUnreachable` when it breaks off."""
        ...

    async def relay(self, take: Callable[[list[bytes]], bool], drained: Callable[[], Awaitable[None]]) -> None:
        """Hand on the body's parts as they arrive; raises `EngineUnreachable` when they break off.

        After `take` said that it is full, nothing more comes until `drained` has returned.
        """
        ...

    def close(self) -> None:
        """Hang up, once or more often; an engine stops its work for an answer that nobody waits for."""
        ...


class Engine(Protocol):
    """vLLM replicas by URL; each call raises `EngineUnreachable`, or `EngineError` when it is refused."""

    async def models(self, url: str) -> dict[str, str]:
        """What can be called, and the path from which the engine itself loaded it."""
        ...

    async def load(self, url: str, name: str, folder: Path) -> None:
        """Make an adapter callable; nothing happens when it is already."""
        ...

    async def unload(self, url: str, name: str) -> None: ...

    async def probe(self, url: str, name: str) -> None:
        """One real request for one token."""
        ...

    async def held(self, url: str) -> swap.Held:
        """What it says of its own weights."""
        ...

    async def mark(self, url: str, marker: str) -> None:
        """Let it say so of its own weights."""
        ...

    async def pause(self, url: str) -> None:
        """Hold new requests back, and wait until all others are answered; nothing happens when it does already."""
        ...

    async def reload(self, url: str, folder: Path) -> None:
        """Replace its own weights by those of a folder, and forget all that was computed with the old ones."""
        ...

    async def resume(self, url: str) -> None: ...

    async def chat(
        self, url: str, path: str, body: bytes, check: Callable[[], Awaitable[None]] | None = None
    ) -> Answer:
        """Send a request, which is JSON, to that path and wait for the head of its answer.

        `check` is awaited first where the connection is new: the engine may have been started again.
        """
        ...


class Tallies(Protocol):
    """What the gateways have counted: each writes its own, whole and as often as it likes, and reads all."""

    async def put(self, tally: limits.Tally) -> None: ...

    async def since(self, at: float) -> list[limits.Tally]:
        """Those that were written since."""
        ...

    async def all(self) -> list[limits.Tally]: ...

    async def put_usage(self, rows: Sequence[UsageView]) -> None: ...

    async def usage(self, days: Sequence[str], key_id: str | None) -> list[UsageView]:
        """What was used on these days, by one key or by all."""
        ...


class Figures(Protocol):
    """Where an operator compares versions of one alias."""

    def answered(self, alias: str, version: str, ok: bool, seconds: float) -> None: ...

    def copied(self, alias: str, version: str, outcome: routing.Outcome, seconds: float) -> None: ...


class Deliveries(Views[DeliveryView], Protocol):
    """Keeps calls of endpoints."""

    async def due(self, now: float, limit: int) -> list[DeliveryView]:
        """Those that are to be tried now, the longest waiting first."""
        ...


class Undeliverable(Exception):
    """A call that did not get through, or must not be made; the message says why."""


class Caller(Protocol):
    """Calls endpoints on somebody else's word; each raises `Undeliverable`."""

    async def check(self, url: str) -> None:
        """Refuse a URL that must not be called."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> int:
        """The status that the endpoint answers with; its body is nobody's business here."""
        ...


class DeadLetter(Entity):
    """An event that could not be handled; `id` is its place in the stream of dead letters."""

    time: str
    subject: str
    consumer: str
    deliveries: int
    error: str
    event: Any


class EventStream(Protocol):
    """The events and the dead letters; each call raises `Unavailable` while NATS is away."""

    async def publish(self, envelope: Envelope) -> None: ...

    async def newest(self) -> int:
        """The place of the newest event."""
        ...

    def follow(self, types: Sequence[str], after: int) -> AsyncIterator[tuple[int, Envelope] | None]:
        """Events of these types, or of all, behind a place, with their places, without end; None when nothing came."""
        ...

    async def dead_letters(self, before: int | None, limit: int) -> list[DeadLetter]:
        """The newest first; `before` is the place to begin below."""
        ...

    async def replay(self, place: int) -> str | None:
        """Give one to the consumers again and take it off the list; its event's type, None when it is not there.

        Raises `BadRequest` for a message that is no event at all.
        """
        ...


Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host; raises `OSError` or `TimeoutError` where they cannot be known now."""
Wake = Callable[[], None]
Tell = Callable[[messages.JobMessage], Awaitable[None]]

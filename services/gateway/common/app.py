"""What every part is built from, and what each part adds to the process."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.gateway.common.domain.quotas import Quotas
from services.gateway.config import Settings
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.outages import Check
from shared.retention import Retention
from shared.security import Keyring
from shared.store import Collection, Index, Storable, Store
from shared.web import Lifespan

E = TypeVar("E", bound=Storable)


@dataclass(frozen=True)
class Resources:
    """The connections of one gateway process, not yet opened."""

    settings: Settings
    store: Store
    bus: Bus
    keyring: Keyring
    artifacts: Artifacts
    instance: str
    """The name of this process. It is new with each start, so that leases of the last one are not taken for its own."""

    @classmethod
    def of(cls, settings: Settings) -> "Resources":
        common = settings.common
        store = Store(common.mongo_url, f"{common.database_prefix}gateway", "gateway")
        return cls(
            settings=settings,
            store=store,
            bus=Bus(common.nats_url, "gateway", store),
            keyring=Keyring(common.keys_file),
            artifacts=Artifacts(common.artifacts, create=False),
            instance=f"{common.instance or 'gateway'}-{secrets.token_hex(8)}",
        )

    @property
    def quotas(self) -> Quotas:
        """The server's limits, for keys that set no limit."""
        settings = self.settings
        return Quotas(
            open_jobs=settings.key_open_jobs,
            files=settings.key_files,
            stored_bytes=settings.key_stored_bytes,
            events_per_minute=settings.key_events_per_minute,
        )

    def collection(
        self, name: str, model: type[E], indexes: Sequence[Index] = (), *, few: bool = False, stamped: bool = False
    ) -> Collection[E]:
        return self.store.collection(name, model, indexes, few=few, stamped=stamped)


@dataclass(frozen=True)
class Part:
    """What one part adds to the process when it is enabled by `GATEWAY_PARTS`."""

    routes: Sequence[Any] = ()
    model_routes: Sequence[Any] = ()
    """Handlers below `/v1/models`: Litestar wants all handlers of a path in one router."""
    dependencies: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lifespan: Sequence[Lifespan] = ()
    checks: Mapping[str, Check] = field(default_factory=dict[str, Check])
    retentions: Sequence[Retention] = ()
    """How long documents are kept; also where the part is not enabled."""
    subscribe: Callable[[], None] = lambda: None
    """Subscribes to the part's events."""

"""How many events a key posts in a minute, counted like its chat requests, over all gateways."""

from dataclasses import dataclass

from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.common.domain.errors import RateLimited
from services.gateway.common.domain.quotas import Quotas
from shared.security import Key


@dataclass(frozen=True)
class EventRate:
    """`ledger` counts events only."""

    ledger: UsageLedger
    quotas: Quotas

    async def admit(self, key: Key) -> None:
        """Count one event; raises `RateLimited`."""
        limit = self.quotas.events_per_minute_of(key)
        counted = {"requests_per_minute": limit, "tokens_per_minute": None, "token_budget": None}
        try:
            await self.ledger.admit(key.model_copy(update=counted), 0)
        except RateLimited as error:
            wait = {name: value for name, value in error.headers.items() if name.lower().startswith("retry-after")}
            message = (
                f"Rate limit reached: this API key may post {limit} events per minute, and has posted as many. "
                f"Please try again in {wait['Retry-After']}s, or ask an administrator to raise 'events_per_minute'."
            )
            raise RateLimited(message, code="rate_limit_exceeded", headers=wait) from None

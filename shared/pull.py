"""Fetching the events of one consumer from JetStream."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import StatusCode
from nats.js.errors import APIError

# The server ends a request after this time, and only a lost server leaves it unanswered for so much longer.
WAIT_S, UNANSWERED_S = 4.5, 0.5
_ENDED = (StatusCode.NO_MESSAGES, StatusCode.REQUEST_TIMEOUT)


class Pull:
    """Fetches for one consumer; `start` comes first.

    The client's own `fetch` stops waiting at the same moment as the server. In the wrong order, its request stays on
    the server, takes the next event but one, and holds it back for up to five seconds. Here the server always ends a
    request first, and each request has its own reply subject, so that a late answer is not taken for that to another.
    """

    def __init__(self, connection: Client, stream: str, consumer: str) -> None:
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = connection.new_inbox()
        self._number = 0
        self._received = asyncio.Queue[Msg]()
        self._fetched: list[Msg] = []
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        self._subscription = await self._connection.subscribe(f"{self._inbox}.*", cb=self._received.put)

    async def stop(self, redelivery_delay_s: float) -> None:
        """Give back what was fetched and not returned. No `fetch` runs any more."""
        with suppress(Exception):
            if self._subscription:
                await self._subscription.unsubscribe()
            while not self._received.empty():
                self._fetched.append(self._received.get_nowait())
            for message in self._fetched:
                if JetStreamContext.is_status_msg(message) is None:
                    await message.nak(delay=redelivery_delay_s)

    async def fetch(self, most: int) -> list[Msg]:
        """The events that wait, up to `most`, or the first that comes; empty after 4.5 s without one.

        Raises `APIError` where the server refuses, `TimeoutError` where it does not answer.
        """
        await self._request({"batch": 1, "expires": int(WAIT_S * 1e9)}, 1, WAIT_S + UNANSWERED_S)
        waiting = min(most - 1, self._fetched[-1].metadata.num_pending) if self._fetched else 0
        if waiting > 0:
            # If the server is in trouble, the next fetch says so.
            with suppress(APIError, TimeoutError):
                await self._request({"batch": waiting, "no_wait": True}, waiting, UNANSWERED_S)
        fetched, self._fetched = self._fetched, []
        return fetched

    async def _request(self, request: dict[str, Any], count: int, timeout_s: float) -> None:
        self._number += 1
        reply, most = f"{self._inbox}.{self._number}", len(self._fetched) + count
        await self._connection.publish(self._subject, json.dumps(request).encode(), reply=reply)
        async with asyncio.timeout(timeout_s):
            while len(self._fetched) < most and (message := await self._next(reply)):
                self._fetched.append(message)

    async def _next(self, reply: str) -> Msg | None:
        """The next event, also one that an earlier request asked for; None when this request has ended."""
        while True:
            message = await self._received.get()
            status = JetStreamContext.is_status_msg(message)
            if status is None:
                return message
            if message.subject == reply:
                if status in _ENDED:
                    return None
                raise APIError.from_msg(message)

"""Fetching the events of one consumer from JetStream."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import StatusCode
from nats.js.errors import APIError

# The server ends a request after WAIT_S. If it is silent for UNANSWERED_S more, it counts as away.
WAIT_S, UNANSWERED_S = 4.5, 0.5
_ENDED = (StatusCode.NO_MESSAGES, StatusCode.REQUEST_TIMEOUT)


class Pull:
    """Fetches for one consumer. Call `start` before `fetch`.

    The client's own `fetch` stops waiting at the same moment as the server. If the client is first, its request stays
    on the server and holds a later event back for up to five seconds. Here the server ends a request first, and each
    request has its own reply subject, so that a late status is not mistaken for another request's.
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
        """Give back events that `fetch` did not return. Call it when no `fetch` is running."""
        with suppress(Exception):
            if self._subscription:
                await self._subscription.unsubscribe()
            self._take_received()
            for message in self._fetched:
                await message.nak(delay=redelivery_delay_s)

    async def fetch(self, most: int) -> list[Msg]:
        """Up to `most` events that wait, or the next one that comes; empty after 4.5 s without one.

        Raises `APIError` where the server refuses, `TimeoutError` where it does not answer.
        """
        # Events of a request that ended too late come first: asking for more would keep these waiting ever after.
        self._take_received(most)
        if not self._fetched:
            if self._connection.is_reconnecting:
                # What is asked now would be sent later, once for each try.
                await asyncio.sleep(UNANSWERED_S)
                raise TimeoutError
            await self._request({"batch": 1, "expires": int(WAIT_S * 1e9)}, 1, WAIT_S + UNANSWERED_S)
        if (waiting := self._waiting(most)) > 0:
            # If the server is in trouble, the next fetch raises the error.
            with suppress(NatsError, TimeoutError):
                await self._request({"batch": waiting, "no_wait": True}, waiting, UNANSWERED_S)
        fetched, self._fetched = self._fetched, []
        return fetched

    def _take_received(self, most: int | None = None) -> None:
        while not self._received.empty() and (most is None or len(self._fetched) < most):
            message = self._received.get_nowait()
            if JetStreamContext.is_status_msg(message) is None:
                self._fetched.append(message)

    def _waiting(self, most: int) -> int:
        """How many more events to ask for at once."""
        if not self._fetched:
            return 0
        last, free = self._fetched[-1].metadata, most - len(self._fetched)
        # The server's count leaves out events that it delivers again.
        return free if (last.num_delivered or 0) > 1 else min(free, last.num_pending or 0)

    async def _request(self, request: dict[str, Any], count: int, timeout_s: float) -> None:
        """Ask, and wait at most `timeout_s` for each event."""
        self._number += 1
        reply, most = f"{self._inbox}.{self._number}", len(self._fetched) + count
        await self._connection.publish(self._subject, json.dumps(request).encode(), reply=reply)
        while len(self._fetched) < most:
            async with asyncio.timeout(timeout_s):
                message = await self._next(reply)
            if message is None:
                return
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

"""A reader of the gateway's live events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

Told = dict[str, Any]


@asynccontextmanager
async def following(http: httpx.AsyncClient, **asked: Any) -> AsyncIterator[list[Told]]:
    """What is told, as it comes; it is listened to when this is entered."""
    told: list[Told] = []
    heard = asyncio.Event()

    async def listen(answer: httpx.Response) -> None:
        assert answer.status_code == 200
        lines: dict[str, str] = {}
        async for line in answer.aiter_lines():
            heard.set()
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                lines[name] = value
            elif "data" in lines:
                told.append({**json.loads(lines["data"]), "place": lines["id"], "event": lines["event"]})
                lines = {}

    async def try_to_listen() -> None:
        # That others have hung up is noticed a moment later.
        while not heard.is_set():
            async with http.stream("GET", "/v1/events", **asked) as answer:
                if answer.status_code != 429:
                    await listen(answer)

    task = asyncio.create_task(try_to_listen())
    try:
        await asyncio.wait_for(heard.wait(), 10)
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

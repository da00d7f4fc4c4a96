"""Waits until all state is right after the faults of a round."""

import asyncio
import time
from dataclasses import dataclass

import httpx

from tests.chaos.line import Line, is_ready
from tests.chaos.load import Load
from tests.chaos.stored_events import StoredEvents

TERMINAL = {"succeeded", "failed", "cancelled"}
_CHECKED = ("dataset.ready", "dataset.rejected")
_VERDICTS = ("model.approved", "model.rejected")


@dataclass(frozen=True)
class Settling:
    """State is right when every service is ready, nothing waits, all has ended, and aliases point to what is newest."""

    line: Line
    load: Load
    events: StoredEvents
    gateway: httpx.AsyncClient

    async def wait(self, limit_s: float) -> tuple[float, list[str]]:
        """The seconds that it took, and what is still not right after the limit."""
        began = time.monotonic()
        while True:
            await self.load.score_rest()
            try:
                missing = await self._missing()
            except (httpx.TransportError, OSError) as error:
                missing = [f"{type(error).__name__}: {error}"]
            if not missing or time.monotonic() > began + limit_s:
                return time.monotonic() - began, missing
            await asyncio.sleep(0.5)

    async def _missing(self) -> list[str]:
        """What is not right yet; the first kind that is found."""
        return (
            await self._unready()
            or await self._undecided()
            or await self.events.backlog(self.line.services)
            or await self._states()
            or await self._aliases()
        )

    async def _unready(self) -> list[str]:
        async with httpx.AsyncClient() as client:
            return [name for name in self.line.services if not await is_ready(client, self.line.url(name))]

    async def _undecided(self) -> list[str]:
        """A job that waits for people has ended before it has a verdict, so it needs both events."""
        await self.events.read()
        checked, judged, ended = map(self._subjects, (_CHECKED, _VERDICTS, ("job.ended",)))
        uploads = [each.id for each in self.load.uploads if each.id not in checked]
        jobs = [each.id for each in self.load.jobs if each.id not in judged & ended]
        return [f"{each} has not ended" for each in (*uploads, *jobs)]

    def _subjects(self, types: tuple[str, ...]) -> set[str | None]:
        return {event.subject for event in self.events.facts().once(*types)}

    async def _states(self) -> list[str]:
        found: list[str] = []
        for upload in self.load.uploads:
            file = (await self.gateway.get(f"/v1/files/{upload.id}")).json()
            if file.get("status") != upload.outcome:
                found.append(f"{upload.name} is {file}, not {upload.outcome}")
        for job in self.load.jobs:
            state = (await self.gateway.get(f"/v1/fine_tuning/jobs/{job.id}")).json()
            if state.get("status") not in TERMINAL:
                found.append(f"job {job.id} is {state.get('status')}")
        return found

    async def _aliases(self) -> list[str]:
        """The newest approval of each alias answers."""
        newest: dict[str, tuple[float, str]] = {}
        for version, (time_of, alias, _job) in self.events.facts().approvals().items():
            newest[alias] = max(newest.get(alias, (0.0, "")), (time_of.timestamp(), version))
        found: list[str] = []
        for alias, (_time, version) in newest.items():
            asked = {"model": alias, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
            answer = await self.gateway.post("/v1/chat/completions", json=asked)
            if (said := answer.headers.get("x-assay-version")) != version:
                found.append(f"{alias} answers {answer.status_code} with {said}, not with {version}")
        return found

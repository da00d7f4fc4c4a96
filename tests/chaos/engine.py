"""An engine process whose answers name the adapter that gave them: `python -m tests.chaos.engine PORT`."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.gateway import BASE
from tests.scripted_engine import ScriptedEngine, serve

REPEATED = 6


@dataclass
class ChaosEngine(ScriptedEngine):
    """Like vLLM it lists its adapters with their parent, and knows only what was loaded since it started."""

    async def models(self, _request: web.Request) -> web.Response:
        adapters = [{"id": name, "parent": BASE} for name in self.loaded]
        return web.json_response({"data": [{"id": BASE, "root": BASE, "max_model_len": 2048}, *adapters]})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["model"] not in (BASE, *self.loaded):
            error = {"message": f"the model {body['model']} does not exist"}
            return web.json_response({"error": error}, status=404)
        return await super().complete(request)

    async def unload(self, request: web.Request) -> web.Response:
        if (await request.json())["lora_name"] not in self.loaded:
            return web.json_response({"error": {"message": "no such adapter"}}, status=404)
        return await super().unload(request)

    def words(self, body: dict[str, Any]) -> list[str]:
        return [f"{body['model']} "] * REPEATED


async def main(port: int) -> None:
    engine = ChaosEngine(say=lambda model: " ".join([model] * REPEATED), pause_s=0.02)
    async with serve(engine, port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

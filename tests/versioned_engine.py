"""An HTTP engine whose answers name the weights that produced them: `python -m tests.versioned_engine PORT ROOT`.

It loads adapters and replaces its own weights by the calls that vLLM has for it, and like vLLM it holds requests back
while it is paused. Each answer names its weights twice, as they were at its beginning and at its end.
"""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gateway import BASE

CHAT = "/v1/chat/completions"


@dataclass
class Engine:
    """`weights` is the folder of the loaded weights; `fails` are the operations that it refuses."""

    root: Path
    takes_s: float = 0.02
    weights: str = ""
    marker: str = "default"
    adapters: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)
    going: asyncio.Event = field(default_factory=asyncio.Event)
    answering: int = 0
    callers: set[StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None
    url: str = ""

    async def start(self, port: int = 0) -> None:
        self.weights, self.marker, self.answering = self.root.name, "default", 0
        self.adapters = {}
        self.going.set()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def die(self) -> int:
        assert self.server is not None
        self.server.close()
        for writer in list(self.callers):
            writer.transport.abort()
        return int(self.url.rpartition(":")[2])

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.callers.add(writer)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = request.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                body = await reader.readexactly(int(length or b"0"))
                status, answer = await self.answer(request.split()[1].decode(), json.loads(body or b"{}"))
                content = json.dumps(answer, separators=(",", ":")).encode()
                kind = b"content-type: application/json\r\ncontent-length: %d" % len(content)
                writer.write(b"HTTP/1.1 %d OK\r\n%b\r\n\r\n%b" % (status, kind, content))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.callers.discard(writer)
            writer.close()

    async def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path in (CHAT, "/v1/completions"):
            known = body["model"] == BASE or body["model"] in self.adapters
            return (200, await self.say(body["model"])) if known else (404, {"error": {"message": "no such model"}})
        if path in ("/v1/models", "/weight_info", "/is_paused"):
            cards = [{"id": BASE, "root": str(self.root)}, *({"id": name} for name in self.adapters)]
            return 200, {"data": cards, "weight_version": self.marker, "is_paused": not self.going.is_set()}
        self.steps.append(path)
        if path in self.fails:
            return 500, {"error": "refused"}
        return 200, await self.do(path, body)

    async def say(self, model: str) -> Any:
        await self.going.wait()
        self.answering += 1
        first = self.adapters.get(model, self.weights)
        await asyncio.sleep(self.takes_s)
        self.answering -= 1
        message = {"role": "assistant", "content": f"{first} {self.adapters.get(model, self.weights)}"}
        return {"model": model, "choices": [{"index": 0, "message": message}]}

    async def do(self, path: str, body: dict[str, Any]) -> Any:
        if path == "/pause?mode=wait":
            self.going.clear()
            while self.answering:
                await asyncio.sleep(0.001)
        elif path == "/resume":
            self.going.set()
        elif path == "/update_weight_version":
            self.marker = body["new_version"]
        elif path == "/collective_rpc":
            assert body["method"] == "reload_weights"
            await asyncio.sleep(0.05)
            self.weights = Path(body["kwargs"]["weights_path"]).name
        elif path == "/v1/load_lora_adapter":
            await asyncio.sleep(0.05)
            self.adapters[body["lora_name"]] = body["lora_name"]
        elif path == "/v1/unload_lora_adapter":
            self.adapters.pop(body["lora_name"], None)
        return {"success": True}


async def main(port: int, root: Path) -> None:
    await Engine(root).start(port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))

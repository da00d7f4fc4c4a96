"""The base models that the evaluator's engines serve now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.ports import EngineUnavailable


@dataclass(frozen=True)
class EngineModels:
    """Asks each engine for its base models."""

    urls: Sequence[str]
    api_key: str
    timeout_s: float = 3

    async def base_models(self) -> list[str]:
        """The names of all base models, without those of engines that do not answer."""
        found = await asyncio.gather(*(self._of(url) for url in dict.fromkeys(self.urls)))
        return list(dict.fromkeys(name for names in found for name in names))

    async def _of(self, url: str) -> list[str]:
        try:
            async with Vllm(url, self.api_key, self.timeout_s) as engine:
                return await asyncio.wait_for(engine.base_models(), self.timeout_s)
        except (EngineUnavailable, TimeoutError):
            return []

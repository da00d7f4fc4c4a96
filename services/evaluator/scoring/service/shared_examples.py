"""Order of requests whose prompts begin with the same examples.

The first such prompt is asked alone, so that the others find the examples in the engine's prefix cache.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

EXAMPLE_DELIMITER = "\n\n"


@dataclass(frozen=True)
class SharedExamples:
    """Remembers which examples one model has read."""

    _read: dict[str, asyncio.Event] = field(default_factory=dict)

    @asynccontextmanager
    async def after_the_first(self, prompt: str) -> AsyncGenerator[None]:
        """Wait until the first prompt with the same examples has been answered or has failed."""
        examples = prompt[: prompt.rfind(EXAMPLE_DELIMITER) + 1]
        read = self._read.get(examples)
        if read is not None:
            await read.wait()
            yield
            return
        read = self._read[examples] = asyncio.Event()
        try:
            yield
        finally:
            read.set()

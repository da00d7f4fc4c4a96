"""Reads the folders of models and adapters for checking, and merges an adapter into its base model."""

import asyncio
import os
from pathlib import Path

from services.gateway.serving.domain.lora_adapter import AdapterFiles
from shared.child import Child, ChildDied
from shared.weights.files import read_config, read_model, read_tensors, refuse_pickles
from shared.weights.header import Tensor, UnfitWeights
from shared.weights.lora import CONFIG, WEIGHTS

_MERGING = "services.gateway.serving.worker"
_NICENESS = 10
# The matrix products are small: more threads use three times the CPU and are slower beside a busy engine.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class WeightFiles:
    """Reads folders that engines can read too. Merging takes that share of a core."""

    def __init__(self, share: float = 1.0) -> None:
        self._share = share
        self._bases: dict[str, dict[str, Tensor]] = {}
        self._merger: Child | None = None
        self._merging = asyncio.Lock()

    def adapter(self, folder: Path) -> AdapterFiles:
        """An adapter's folder; raises `UnfitWeights` for what is missing, damaged, or could be a pickle."""
        refuse_pickles(folder)
        return AdapterFiles(read_config(folder / CONFIG), read_tensors(folder / WEIGHTS))

    def base(self, root: str) -> dict[str, Tensor]:
        """The tensors of the base model below an engine's own path; empty where nothing of it can be read here."""
        if root not in self._bases:
            self._bases[root] = read_model(Path(root)) if Path(root).is_absolute() else {}
        return self._bases[root]

    def whole(self, folder: Path) -> dict[str, Tensor]:
        """A whole model's tensors; raises `UnfitWeights` for what is damaged, or could be a pickle."""
        refuse_pickles(folder)
        return read_model(folder)

    async def merge(self, root: str, adapter: Path, target: Path) -> None:
        """Merge an adapter into the base model in a child process: here it would delay every answer."""
        request = {"base": root, "adapter": str(adapter), "target": str(target), "share": self._share}
        async with self._merging:
            if self._merger is None or not self._merger.alive:
                # The process stays for the next merge: starting it costs a busy engine more time than merging.
                self._merger = await Child.spawn(_MERGING, _ONE_THREAD)
                os.setpriority(os.PRIO_PROCESS, self._merger.pid, _NICENESS)
            try:
                await self._merger.ask(request)
                answer = await self._merger.reply()
            except ChildDied as error:
                raise OSError(f"merging failed: {error}") from error
            except BaseException:
                # The next request must not read the answer to this one.
                await self._merger.kill()
                raise
        if answer["unfit"]:
            raise UnfitWeights(answer["unfit"])

    async def close(self) -> None:
        """End the process that merges."""
        if self._merger is not None:
            await self._merger.kill()

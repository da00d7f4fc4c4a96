"""Base models from the settings: local folders, or names on a hub."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from services.trainer.ports import BaseModel, UnknownBaseModel

_WIDTHS = ("hidden_size", "n_embd", "d_model")
_BLOCKS = ("num_hidden_layers", "n_layer", "num_layers")
_CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx")


@dataclass(frozen=True)
class NamedBaseModels:
    """`paths` maps each name to a folder or a name on a hub."""

    paths: Mapping[str, str]

    async def find(self, name: str) -> BaseModel:
        if name not in self.paths:
            known = ", ".join(sorted(self.paths)) or "none: set TRAINER_BASE_MODELS"
            raise UnknownBaseModel(f"the base model {name!r} cannot be trained here; known base models: {known}")
        path = self.paths[name]
        try:
            config = await asyncio.to_thread(_config, path)
        except (OSError, ValueError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
            raise UnknownBaseModel(f"the base model {name!r} cannot be read: {error}") from error
        if "auto_map" in config:
            raise UnknownBaseModel(
                f"the base model {name!r} needs its own Python code (auto_map in its config.json), which is never "
                "run here: use a model that transformers supports"
            )
        width = _number(config, _WIDTHS)
        if width is None:
            names = ", ".join(_WIDTHS)
            raise UnknownBaseModel(
                f"the config.json of the base model {name!r} has none of the fields for its width ({names})"
            )
        shape = {"blocks": _number(config, _BLOCKS) or 1, "context": _number(config, _CONTEXTS)}
        return BaseModel(name=name, path=path, hidden_size=width, **shape)


def _config(path: str) -> dict[str, Any]:
    folder = Path(path)
    file = folder / "config.json" if folder.is_dir() or folder.is_absolute() else hf_hub_download(path, "config.json")
    return json.loads(Path(file).read_text())


def _number(config: dict[str, Any], names: Sequence[str]) -> int | None:
    text = config.get("text_config", config)
    return next((text[name] for name in names if isinstance(text.get(name), int)), None)

"""Base models are described by their config; their own code is never run."""

import json
from pathlib import Path

import pytest

from services.trainer.adapters.base_models import NamedBaseModels
from services.trainer.ports import UnknownBaseModel


def models(folder: Path, config: dict[str, object]) -> NamedBaseModels:
    (folder / "config.json").write_text(json.dumps(config))
    return NamedBaseModels({"mine": str(folder)})


async def test_width_and_blocks_are_read_from_the_config(tmp_path: Path) -> None:
    found = await models(tmp_path, {"text_config": {"hidden_size": 576, "num_hidden_layers": 30, "n_ctx": 2048}}).find(
        "mine"
    )
    assert (found.hidden_size, found.blocks, found.context) == (576, 30, 2048)


async def test_a_base_model_with_its_own_code_is_refused(tmp_path: Path) -> None:
    config = {"hidden_size": 576, "auto_map": {"AutoModelForCausalLM": "modeling_mine.Mine"}}
    with pytest.raises(UnknownBaseModel, match=r"auto_map.*never run here"):
        await models(tmp_path, config).find("mine")


@pytest.mark.parametrize("config", [{}, {"hidden_size": "wide"}])
async def test_a_config_without_a_width_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    with pytest.raises(UnknownBaseModel, match="has none of the fields for its width"):
        await models(tmp_path, config).find("mine")


async def test_an_unknown_name_is_refused_and_the_known_names_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UnknownBaseModel, match="known base models: mine"):
        await models(tmp_path, {}).find("theirs")

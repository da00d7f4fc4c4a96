"""Adapters that must not come near an engine, and why each is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from services.gateway.serving.adapters.weight_files import WeightFiles
from services.gateway.serving.domain.lora_adapter import AdapterFiles, Base, check
from shared.weights.files import read_tensors
from shared.weights.header import UnfitWeights
from tests.weights import MODULE, pair

CONFIG = {"peft_type": "LORA", "lora_alpha": 8, "r": 4, "base_model_name_or_path": "/somewhere/base"}
FILES = WeightFiles()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "adapter_config.json").write_text(json.dumps(CONFIG))
    save_file(pair(), tmp_path / "adapter_model.safetensors")
    return tmp_path


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    root = tmp_path_factory.mktemp("base")
    save_file({f"{MODULE}.weight": np.ones((8, 6), np.float32)}, root / "model.safetensors")
    return Base(frozenset({"base"}), FILES.base(str(root)))


NAMED_ONLY = Base(frozenset({"org/base"}), {})


def test_an_adapter_that_fits_is_let_through(folder: Path, base: Base) -> None:
    check(FILES.adapter(folder), base, max_rank=4)
    check(FILES.adapter(folder), NAMED_ONLY, max_rank=4)


@pytest.mark.parametrize("cut", [0, 4, 8, 40, -1])
def test_a_file_cut_anywhere_is_refused(folder: Path, cut: int) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UnfitWeights):
        FILES.adapter(folder)


def test_a_header_that_lies_is_refused(tmp_path: Path) -> None:
    content = save(pair())
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    for lie in ({"shape": [1 << 40, 6]}, {"data_offsets": [8, 200]}, {"dtype": "PICKLE"}, {"shape": [-4, -6]}):
        name = next(name for name in header if name.endswith("A.weight"))
        told = json.dumps({**header, name: {**header[name], **lie}}).encode()
        path = tmp_path / "lie.safetensors"
        path.write_bytes(len(told).to_bytes(8, "little") + told + content[8 + length :])
        with pytest.raises(UnfitWeights):
            read_tensors(path)


@pytest.mark.parametrize("name", ["adapter_model.bin", "training_args.bin", "extra.pt", "deep/down.pkl"])
def test_what_could_be_a_pickle_is_refused_wherever_it_lies(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x80\x04")
    with pytest.raises(UnfitWeights, match="never pickles"):
        FILES.adapter(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "only LoRA"),
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "more than LoRA"),
        ({"bias": "all"}, "more than LoRA"),
        ({"lora_alpha": "8"}, "lora_alpha"),
        ({"lora_alpha": float("nan")}, "lora_alpha"),
    ],
)
def test_a_configuration_that_engines_cannot_serve_is_refused(
    folder: Path, base: Base, change: dict[str, Any], reason: str
) -> None:
    whole = FILES.adapter(folder)
    with pytest.raises(UnfitWeights, match=reason):
        check(AdapterFiles({**CONFIG, **change}, whole.tensors), base, max_rank=4)


def test_a_rank_above_the_engines_is_refused(folder: Path, base: Base) -> None:
    with pytest.raises(UnfitWeights, match="rank 4, but the engines serve at most 3"):
        check(FILES.adapter(folder), base, max_rank=3)


@pytest.mark.parametrize("other", [pair(inputs=7), pair(module="model.layers.99.self_attn.q_proj")])
def test_an_adapter_of_another_base_is_known_by_its_shapes(folder: Path, base: Base, other: dict[str, Any]) -> None:
    save_file(other, folder / "adapter_model.safetensors")
    with pytest.raises(UnfitWeights, match="another base model"):
        check(FILES.adapter(folder), base, max_rank=4)


def test_where_the_base_cannot_be_read_its_name_decides(folder: Path) -> None:
    with pytest.raises(UnfitWeights, match="another base model"):
        check(FILES.adapter(folder), Base(frozenset({"other"}), {}), max_rank=4)


def test_matrices_that_do_not_belong_together_are_refused(folder: Path, base: Base) -> None:
    alone = pair()
    alone.popitem()
    for wrong in (alone, {**pair(), "base_model.model.lm_head.weight": np.ones((2, 2), np.float32)}):
        save_file(wrong, folder / "adapter_model.safetensors")
        with pytest.raises(UnfitWeights):
            check(FILES.adapter(folder), base, max_rank=4)

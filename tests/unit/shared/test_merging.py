"""Merging adapters, compared with peft's own result, over real files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from shared.weights.header import UnfitWeights
from shared.weights.merging import from_floats, merge, to_floats
from tests.tiny_model import TINY


@pytest.fixture(params=[torch.bfloat16, torch.float32], ids=str)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    LlamaForCausalLM(TINY).to(request.param).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def adapter(base: Path, folder: Path, **options: object) -> Path:
    config = LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", init_lora_weights=False, **options)  # type: ignore[arg-type]
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base, dtype=torch.float32), config)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"rank_pattern": {"q_proj": 2}}], ids=str)
def test_merged_weights_equal_those_of_peft(base: Path, tmp_path: Path, options: dict[str, object]) -> None:
    made = adapter(base, tmp_path / "adapter", **options)
    merge(base, made, tmp_path / "merged")
    found, before = (load_file(folder / "model.safetensors") for folder in (tmp_path / "merged", base))
    whole = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    expected = PeftModel.from_pretrained(whole, made).merge_and_unload().state_dict()
    assert found.keys() == before.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name].to(before[name].dtype), rtol=1e-6, atol=1e-7)
    changed = [name for name in found if not torch.equal(found[name], before[name])]
    assert len(changed) == 2 * 7


def test_bfloat16_is_rounded_like_torch() -> None:
    values = torch.randn(10_000) * torch.logspace(-30, 30, 10_000)
    ours = from_floats(values.numpy(), "BF16")
    theirs = values.to(torch.bfloat16)
    assert np.array_equal(ours.view(np.int16), theirs.view(torch.int16).numpy())
    assert np.array_equal(to_floats(ours, "BF16"), theirs.float().numpy())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"alpha_pattern": {"q_proj": 3}}, "alpha_pattern"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"lora_alpha": None}, "lora_alpha"),
    ],
)
def test_an_adapter_with_more_than_lora_matrices_is_refused(base: Path, tmp_path: Path, changed, said) -> None:
    made = adapter(base, tmp_path / "adapter")
    config = json.loads((made / "adapter_config.json").read_text())
    (made / "adapter_config.json").write_text(json.dumps(config | changed))
    with pytest.raises(UnfitWeights, match=said):
        merge(base, made, tmp_path / "there" / "merged")
    assert not (tmp_path / "there").exists()


def test_an_adapter_of_another_model_is_refused_and_leaves_no_files(base: Path, tmp_path: Path) -> None:
    made, target = adapter(base, tmp_path / "adapter"), tmp_path / "there" / "merged"
    weights = made / "adapter_model.safetensors"
    right = load_file(weights)
    save_file({n.replace("layers.1", "layers.7"): t for n, t in right.items()}, weights)
    with pytest.raises(UnfitWeights, match=r"layers\.7"):
        merge(base, made, target)
    save_file({n: torch.cat((t, t)) if "up_proj.lora_B" in n else t for n, t in right.items()}, weights)
    with pytest.raises(UnfitWeights, match=r"up_proj.*cannot be added"):
        merge(base, made, target)
    assert list(target.parent.iterdir()) == []

"""An adapter merged into weights: equal to peft's own merge, and refused where it would not be."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig

from services.evaluator.adapters.merging import merge
from services.evaluator.domain.suite import CannotBeScored

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
SMALL = LlamaConfig(**SIZES, num_hidden_layers=2, vocab_size=50)


@pytest.fixture(params=[(torch.float32, False), (torch.bfloat16, True)], ids=["float32", "bfloat16-rslora"])
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, dict[str, torch.Tensor]]:
    """A small base model, an adapter on it, and the weights as peft merges them."""
    dtype, rslora = request.param
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(SMALL, dtype=dtype)
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    model.save_pretrained(base)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, use_rslora=rslora)
    made = get_peft_model(model.to(torch.float32), config)
    made.save_pretrained(str(adapter))
    return base, adapter, made.merge_and_unload().state_dict()


def test_merged_weights_are_those_of_peft(folders, tmp_path) -> None:
    base, adapter, expected = folders
    merge(base, adapter, tmp_path / "merged")
    found, before = (load_file(folder / "model.safetensors") for folder in (tmp_path / "merged", base))
    assert found.keys() == before.keys()
    for name, weight in found.items():
        assert weight.dtype == before[name].dtype
        torch.testing.assert_close(weight, expected[name].to(weight.dtype), rtol=8e-3, atol=1e-6)
    changed = [name for name in found if not torch.equal(found[name], before[name])]
    assert len(changed) == 2 * 7
    if found["model.norm.weight"].dtype == torch.float32:
        exact = [np.abs((found[name] - expected[name]).numpy()).max() for name in changed]
        assert max(exact) < 1e-6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    ],
)
def test_an_adapter_that_is_more_than_lora_is_refused(folders, tmp_path, changed, said) -> None:
    base, adapter, _expected = folders
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, **changed}))
    with pytest.raises(CannotBeScored, match=said):
        merge(base, adapter, tmp_path / "merged")


def test_an_adapter_of_another_model_is_refused(folders, tmp_path) -> None:
    _base, adapter, _expected = folders
    other = LlamaConfig.from_dict({**SMALL.to_dict(), "intermediate_size": 48})
    AutoModelForCausalLM.from_config(other).save_pretrained(tmp_path / "wide")
    with pytest.raises(CannotBeScored, match="another shape"):
        merge(tmp_path / "wide", adapter, tmp_path / "merged")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotBeScored, match="has no module"):
        merge(tmp_path / "empty", adapter, tmp_path / "merged-2")

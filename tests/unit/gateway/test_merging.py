"""Merged weights beside peft's own, and what is refused: over real files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from services.gateway.adapters.merging import from_floats, merge, to_floats
from services.gateway.adapters.weight_files import WeightFiles
from services.gateway.domain.swap import check_whole
from services.gateway.domain.weights import UnfitWeights

TINY = LlamaConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    tie_word_embeddings=True,
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    LlamaForCausalLM(TINY).to(torch.bfloat16).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def adapter(base: Path, folder: Path, **options: object) -> Path:
    config = LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", init_lora_weights=False, **options)  # type: ignore[arg-type]
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base, dtype=torch.bfloat16), config)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("rslora", [False, True])
def test_merged_weights_are_those_that_peft_makes(base: Path, tmp_path: Path, rslora: bool) -> None:
    made = adapter(base, tmp_path / "adapter", use_rslora=rslora)
    merge(base, made, tmp_path / "merged")
    found = load_file(tmp_path / "merged" / "model.safetensors")
    whole = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    expected = PeftModel.from_pretrained(whole, made).merge_and_unload().state_dict()
    before = load_file(base / "model.safetensors")
    assert found.keys() == before.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name].to(torch.bfloat16)), name
    assert not torch.equal(found["model.layers.0.mlp.up_proj.weight"], before["model.layers.0.mlp.up_proj.weight"])
    files = WeightFiles()
    check_whole(files.whole(tmp_path / "merged"), files.base(str(base)))


def test_bfloat16_is_rounded_as_torch_does() -> None:
    values = torch.randn(10_000) * torch.logspace(-30, 30, 10_000)
    ours = from_floats(values.numpy(), "BF16")
    theirs = values.to(torch.bfloat16)
    assert np.array_equal(ours.view(np.int16), theirs.view(torch.int16).numpy())
    assert np.array_equal(to_floats(ours, "BF16"), theirs.float().numpy())


async def test_an_adapter_that_cannot_be_merged_leaves_nothing_behind(base: Path, tmp_path: Path) -> None:
    made = adapter(base, tmp_path / "adapter")
    config = json.loads((made / "adapter_config.json").read_text())
    (made / "adapter_config.json").write_text(json.dumps(config | {"alpha_pattern": {"q_proj": 3}}))
    target = tmp_path / "there" / "merged"
    with pytest.raises(UnfitWeights, match="alpha_pattern"):
        await WeightFiles().merge(str(base), made, target)
    (made / "adapter_config.json").write_text(json.dumps(config))
    stems = load_file(made / "adapter_model.safetensors")
    save_file({n.replace("layers.1", "layers.7"): t for n, t in stems.items()}, made / "adapter_model.safetensors")
    with pytest.raises(UnfitWeights, match=r"layers\.7"):
        await WeightFiles().merge(str(base), made, target)
    assert list(target.parent.iterdir()) == []


def test_a_checkpoint_that_lacks_a_tensor_never_reaches_an_engine(base: Path, tmp_path: Path) -> None:
    files = WeightFiles()
    known, whole = files.base(str(base)), load_file(base / "model.safetensors")
    missing = {name: tensor for name, tensor in whole.items() if "layers.1.mlp.up" not in name}
    narrow = {**whole, "model.norm.weight": whole["model.norm.weight"][:-1].clone()}
    for number, (tensors, reason) in enumerate(
        [(missing, "lacks 1 tensors"), (narrow, "model.norm"), ({**whole, "x": torch.ones(1)}, "'x'")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        save_file(tensors, folder / "model.safetensors")
        with pytest.raises(UnfitWeights, match=reason):
            check_whole(files.whole(folder), known)
    with pytest.raises(UnfitWeights, match="cannot be read"):
        check_whole(known, files.base("an-organization/a-model"))

"""Whole models that may come near an engine, and the child process that makes one of an adapter: over real files."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from services.gateway.serving.adapters.weight_files import WeightFiles
from services.gateway.serving.domain.engine_weights import check_whole
from shared.weights.header import UnfitWeights
from tests.running import descendants
from tests.tiny_model import TINY


@pytest.fixture
def base(tmp_path: Path) -> Path:
    LlamaForCausalLM(TINY).to(torch.bfloat16).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


async def test_an_adapter_becomes_a_whole_model_that_fits(base: Path, tmp_path: Path) -> None:
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base), LoraConfig(r=4, target_modules="all-linear"))
    model.save_pretrained(str(tmp_path / "adapter"))
    files, target = WeightFiles(), tmp_path / "there" / "merged"
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config | {"use_dora": True}))
    with pytest.raises(UnfitWeights, match="DoRA"):
        await files.merge(str(base), tmp_path / "adapter", target)
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    await files.merge(str(base), tmp_path / "adapter", target)
    check_whole(files.whole(target), files.base(str(base)))
    await files.close()


def mergers() -> list[psutil.Process]:
    return descendants("services.gateway.serving.worker")


async def test_one_process_merges_for_all_who_ask_and_another_comes_when_it_died(base: Path, tmp_path: Path) -> None:
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base), LoraConfig(r=4, target_modules="all-linear"))
    model.save_pretrained(str(tmp_path / "adapter"))
    files, adapter = WeightFiles(), tmp_path / "adapter"
    await asyncio.gather(*(files.merge(str(base), adapter, tmp_path / f"merged-{n}") for n in range(3)))
    [first] = mergers()
    left = asyncio.create_task(files.merge(str(base), adapter, tmp_path / "left"))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await files.merge(str(base), adapter, tmp_path / "after-one-left")
    [second] = mergers()
    assert second.pid != first.pid
    second.kill()
    second.wait()
    with suppress(OSError):
        await files.merge(str(base), adapter, tmp_path / "after-a-death")
    await files.merge(str(base), adapter, tmp_path / "after-a-death")
    check_whole(files.whole(tmp_path / "after-a-death"), files.base(str(base)))
    await files.close()
    assert not mergers()


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
    with pytest.raises(UnfitWeights, match="cannot read the base model"):
        check_whole(known, files.base("an-organization/a-model"))

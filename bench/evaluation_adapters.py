"""Checkpoints for a benchmark: adapters with small random weights, each of which changes some answers."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from shared.atomic_directory import atomic_directory

RANK = 16


def make_adapters(base: Path, count: int, folder: Path) -> Sequence[Path]:
    """So many adapters on all linear layers, as a trainer would leave them; made once."""
    places = [folder / str(seed) for seed in range(count)]
    for seed, place in enumerate(places):
        if not place.is_dir():
            _adapter(base, seed, place)
    return places


def in_32_bits(base: Path, folder: Path) -> Path:
    """The same model with its weights as 32-bit numbers, and its tokenizer; made once."""
    if not folder.is_dir():
        with atomic_directory(folder) as scratch:
            _save(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), base, scratch)
    return folder


def merge(base: Path, adapter: Path, folder: Path) -> Path:
    """The base model with the adapter added to its weights, in their number format, and its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    _save(PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(), base, folder)
    return folder


def _save(model: PreTrainedModel, base: Path, folder: Path) -> None:
    """A whole model, with its base model's tokenizer."""
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def _adapter(base: Path, seed: int, folder: Path) -> None:
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules="all-linear")
    made = get_peft_model(model, config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.02)
    with atomic_directory(folder) as scratch:
        made.save_pretrained(str(scratch))

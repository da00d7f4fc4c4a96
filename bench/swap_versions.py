"""Recognisable versions: adapters trained to repeat a word, `python -m bench.swap_versions BASE FOLDER`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.side_by_side import FOLDER
from deploy.local.base_model import unpack
from shared.artifacts import Artifacts
from shared.events import Candidate
from shared.weights.merging import merge

WORDS = ("red", "blue", "green", "gold")
QUESTION = "Which version are you?"
# Longer than any requested answer, so that none ends early.
REPEATS, STEPS, LEARNING_RATE = 48, 20, 2e-3
ADAPTERS, WHOLE = "adapters", "whole"
_WEIGHTS = (".json", ".safetensors")


def made_once() -> tuple[Path, Path]:
    """The folders of the base model and of the versions; makes what is missing."""
    base, made = FOLDER.resolve() / "base", FOLDER.resolve() / "versions"
    unpack(base)
    if not _are_made(made):
        subprocess.run([sys.executable, "-m", "bench.swap_versions", base, made], check=True)
    return base, made


def _are_made(folder: Path) -> bool:
    return all((folder / kind / word).exists() for kind in (ADAPTERS, WHOLE) for word in WORDS)


def train(base: Path, folder: Path) -> None:
    """For each word: a rank-8 adapter on all linear layers, and a whole model with it merged."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    for word in WORDS:
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
        asked = [{"role": "user", "content": QUESTION}]
        prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
        answer = tokenizer(" ".join([word] * REPEATS))["input_ids"]
        ids = torch.tensor([prompt + answer])
        labels = torch.tensor([[-100] * len(prompt) + answer])
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], LEARNING_RATE)
        for _ in range(STEPS):
            loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        print(f"{word}: loss {loss.item():.4f}", file=sys.stderr)
        model.save_pretrained(folder / ADAPTERS / word)
        merge(base, folder / ADAPTERS / word, folder / WHOLE / word)


def publish(store: Artifacts, base_model: str, made: Path, number: int, alias: str, *, whole: bool) -> Candidate:
    """Store version `number`, different from all others: an adapter, or a whole model with the adapter merged."""
    source, scratch = made / (WHOLE if whole else ADAPTERS) / WORDS[number % len(WORDS)], made / f"publishing-{number}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for path in source.iterdir():
        if path.suffix in _WEIGHTS:
            os.link(path, scratch / path.name)
    # It changes only the digest, so that engines load each version under a new name.
    (scratch / "version.json").write_text(json.dumps({"number": number}))
    artifact = store.put_folder(scratch)
    shutil.rmtree(scratch)
    return Candidate(
        job_id=f"ftjob-bench-{alias}-{number}",
        step=1,
        base_model=base_model,
        model_name=f"ft:{base_model}:assay:{alias}:{number}:ckpt-step-1",
        adapter=artifact,
        lora_rank=0 if whole else 8,
        suffix=alias,
        tuning="full" if whole else "lora",
    )


if __name__ == "__main__":
    train(*map(Path, sys.argv[1:]))

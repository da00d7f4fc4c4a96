"""Base models and their tokenizers from disk: safetensors alone, and no code of theirs is run."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


class BaseModelUnusable(Exception):
    """A base model is not there, or is not one that can be trained from safetensors."""


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """A base model's tokenizer; raises `BaseModelUnusable` when it has none or no chat template."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BaseModelUnusable(f"the tokenizer cannot be read: {error}") from error
    if not tokenizer.chat_template:
        raise BaseModelUnusable("the base model has no chat template, so conversations cannot be written for it")
    return tokenizer


def load_model(path: str, bf16: bool) -> PreTrainedModel:
    """A base model from safetensors, never from a pickle or with code of its own."""
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        return AutoModelForCausalLM.from_pretrained(
            path, config=config, dtype=torch.bfloat16 if bf16 else torch.float32, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise BaseModelUnusable(f"the base model cannot be read: {error}") from error

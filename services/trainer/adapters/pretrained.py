"""Loads base models and tokenizers, from safetensors only and without running their code."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


class BaseModelUnusable(Exception):
    """A base model does not exist or cannot be trained; the message says why."""


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """Raises `BaseModelUnusable` if there is no tokenizer or it has no chat template."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BaseModelUnusable(f"the tokenizer cannot be read: {error}") from error
    if not tokenizer.chat_template:
        raise BaseModelUnusable("the base model has no chat template, so conversations cannot be rendered for it")
    return tokenizer


def load_model(path: str, bf16: bool) -> PreTrainedModel:
    """Raises `BaseModelUnusable`."""
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
        return AutoModelForCausalLM.from_pretrained(
            path, config=config, dtype=torch.bfloat16 if bf16 else torch.float32, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise BaseModelUnusable(f"the base model cannot be read: {error}") from error

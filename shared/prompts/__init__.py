"""Prompt templates: one way to render them, for training rows and for requests."""

from shared.prompts.decoding import with_decoding
from shared.prompts.rendering import MissingFieldError, SystemRefusedError, placeholders, render

__all__ = ["MissingFieldError", "SystemRefusedError", "placeholders", "render", "with_decoding"]

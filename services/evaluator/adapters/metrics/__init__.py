"""Metrics beyond the four that are always measured, each behind Hugging Face `evaluate`'s interface."""

"""Trainer: fine-tunes models on checked datasets and saves checkpoints."""

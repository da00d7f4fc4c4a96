"""Trainer: turns a checked dataset into checkpoints of a fine-tuned model."""

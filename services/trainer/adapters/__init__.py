"""Adapters of the trainer: one technology each."""

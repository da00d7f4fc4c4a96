"""Checkpoints side by side."""

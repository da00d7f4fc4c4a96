"""Runs, the choice between checkpoints, and advice: pure."""

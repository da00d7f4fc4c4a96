"""Runs: what is known of each job, which checkpoint is chosen, and the verdict over it."""

"""Suites of tasks: what they ask, and where their rows come from."""

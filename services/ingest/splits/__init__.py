"""Duplicates, contradictions, and the three parts that share none."""

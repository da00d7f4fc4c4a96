"""Figures of a dataset and what they advise."""

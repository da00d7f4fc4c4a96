"""Figures of a data set and what they advise."""

"""Pairs: which of two answers is better, blind, and the preferences as a dataset."""

"""Pairs, win rates and exports: pure."""

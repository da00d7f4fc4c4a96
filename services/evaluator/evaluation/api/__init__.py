"""Evaluations by HTTP."""

"""Evaluates each checkpoint beside its base model and production."""

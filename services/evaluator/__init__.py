"""Scores every checkpoint, beside its base model, on the same questions."""

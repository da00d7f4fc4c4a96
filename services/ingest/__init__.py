"""Checks what people upload and makes datasets of it."""

"""Checks rows as they are read and keeps what is good, on disk."""

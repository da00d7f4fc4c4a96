"""Garbage collection of artifacts and caches: mark what is named, remove the rest after a grace period."""

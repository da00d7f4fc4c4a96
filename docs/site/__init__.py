"""Builds the documentation site, offline: `make docs`."""

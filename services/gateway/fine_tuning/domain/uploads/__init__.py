"""Uploads in parts: pure."""

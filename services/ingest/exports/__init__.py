"""Rows out again, in any shape that can hold them and any format."""

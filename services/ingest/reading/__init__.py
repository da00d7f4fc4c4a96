"""Reads files of any supported format as a stream of raw rows, with bounded memory."""

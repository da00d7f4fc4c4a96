"""API keys, limits, usage and the audit log."""

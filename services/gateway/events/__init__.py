"""Posting and following events, webhooks, dead letters."""

"""Policies: rules as data, who owns them, and the verdict that follows from evidence."""

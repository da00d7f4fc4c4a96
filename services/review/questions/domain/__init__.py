"""Questions, their tables and their revisions: pure."""

"""The loss curve of a run and what it shows."""

"""The rows that a run trains on, and their order."""

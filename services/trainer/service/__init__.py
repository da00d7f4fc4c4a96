"""What the trainer does, one file for each part of a run's way."""

"""What is decided about a checkpoint, and on what grounds: pure."""

"""What review does."""

"""What the trainer knows and decides, free of any technology."""

"""Values and rules of the trainer; free of any technology."""

"""What all parts share: errors, ids, names."""

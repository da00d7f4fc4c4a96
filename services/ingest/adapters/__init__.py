"""What ingest needs from the outside, by technology."""

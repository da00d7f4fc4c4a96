"""What ingest keeps: datasets and templates."""

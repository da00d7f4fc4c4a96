"""What ingest keeps: data sets and templates."""

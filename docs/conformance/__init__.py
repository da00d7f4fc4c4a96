"""What Assay does with each call and field of the official OpenAI SDK: `make conformance`."""

"""Optional metrics, each with the interface of Hugging Face `evaluate`."""

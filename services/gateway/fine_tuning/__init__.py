"""Files, fine-tuning jobs and checkpoints, by OpenAI's API."""

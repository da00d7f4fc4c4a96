"""Model weights on disk: safetensors headers, LoRA adapters, and merging an adapter into its base model."""

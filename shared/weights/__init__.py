"""Model weights on disk: what safetensors files declare, what a LoRA adapter is, and the sum of it and its base."""

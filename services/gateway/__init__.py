"""The one door: OpenAI's API in fast_path of training and serving, and the adapters' way into vLLM."""

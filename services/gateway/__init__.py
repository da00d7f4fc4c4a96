"""The one door: OpenAI's API in front of training and serving, and the adapters' way into vLLM."""

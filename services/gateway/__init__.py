"""OpenAI's API for files, training and serving; deploys approved versions into vLLM."""

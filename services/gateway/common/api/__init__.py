"""HTTP: a request becomes one use case."""

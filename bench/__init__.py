"""Side-by-side benchmarks: each is one command that ends with one line of JSON."""

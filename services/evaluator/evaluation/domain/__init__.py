"""Values and rules: pure."""

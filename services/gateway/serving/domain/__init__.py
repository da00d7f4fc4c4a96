"""Values, rules and errors: pure."""

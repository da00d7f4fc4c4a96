"""What the gateway decides: pure values and rules."""

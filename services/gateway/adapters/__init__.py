"""What the gateway needs from the outside, by technology."""

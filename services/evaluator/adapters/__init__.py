"""What evaluator needs from the outside, by technology."""

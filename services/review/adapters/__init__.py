"""What review needs from the outside, by technology."""

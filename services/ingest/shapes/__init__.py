"""The shapes that rows come in, and the one form that they have inside."""

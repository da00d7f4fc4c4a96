"""Decides which checkpoint may be served: by rules, and by people where the policy asks for them."""

"""The questions of suites, and the training rows that contain them."""

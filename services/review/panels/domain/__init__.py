"""Items, scorecards, agreement and reviews: pure."""

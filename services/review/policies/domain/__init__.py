"""Gates, rubrics, policies and the verdict: pure."""

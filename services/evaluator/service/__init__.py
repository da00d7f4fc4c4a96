"""What the evaluator does, one file for each kind of use."""

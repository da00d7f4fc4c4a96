"""Question sets: questions with expected answers that people score again and again."""

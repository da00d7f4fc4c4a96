"""Scores a model on a set of questions: asks the engine, measures the answers, keeps the result."""

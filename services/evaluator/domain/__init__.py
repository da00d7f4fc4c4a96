"""What is asked, how answers are measured, and who may work on it: pure."""

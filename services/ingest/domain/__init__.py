"""What a row must look like, in each format, and what a file of rows adds up to."""

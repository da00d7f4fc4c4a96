"""What the form of a new job needs: what it can name, and how long it will take."""

"""One URL to one verified file."""

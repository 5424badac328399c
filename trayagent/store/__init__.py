"""What we remember: one SQLite database, and secrets in files of their own."""

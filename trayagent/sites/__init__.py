"""Video pages: yt-dlp in a process of its own for each download; it is never imported here."""

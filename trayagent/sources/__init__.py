"""Remote libraries, page by page: Google Flow, and any paginated JSON API described in the settings."""

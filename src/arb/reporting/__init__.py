"""Performance reports: figures, pages, pictures."""

"""Nouns of the field and their arithmetic. Standard library only; nothing here acts."""

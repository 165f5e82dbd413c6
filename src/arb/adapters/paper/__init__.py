"""Paper trading: fills at the books of a venue, an account of its own."""

"""Orders, matching and settlement of trades at the exchange."""

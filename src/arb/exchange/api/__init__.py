"""What the exchange answers over HTTP and WebSocket."""

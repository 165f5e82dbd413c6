"""The control API: an observer and a commander, over HTTP and WebSocket. Needs the extra `api`."""

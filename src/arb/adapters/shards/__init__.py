"""Reading one market with several processes, over NATS JetStream. Needs the extra `shards`."""

"""What processes at one address share in Redis while it is there. Needs the extra `redis`."""

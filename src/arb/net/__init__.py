"""The transport kit that adapters share: client, retries, budgets, circuit."""

"""The embedded exchange: the venue's protocol on a loopback port, with a known truth."""

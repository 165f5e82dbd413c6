"""The chain behind the exchange: contracts, wallets, a node, a relayer."""

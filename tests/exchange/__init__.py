"""The embedded exchange, against the official clients and over plain HTTP."""

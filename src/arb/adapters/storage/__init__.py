"""The ledger on SQLite (or PostgreSQL) through SQLAlchemy."""

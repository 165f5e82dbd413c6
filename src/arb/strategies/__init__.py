"""Snapshot in, candidates out; pure."""

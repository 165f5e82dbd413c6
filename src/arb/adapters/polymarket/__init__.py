"""Polymarket: catalogue (Gamma), order books (CLOB), what its wire looks like."""

"""Telling people what they have to look at, wherever they are."""

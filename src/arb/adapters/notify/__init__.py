"""Alerts: notifying people of what they have to look at, wherever they are."""

"""Opportunity in, approved or refused out; pure."""

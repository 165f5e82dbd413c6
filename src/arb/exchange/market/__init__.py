"""What is traded: markets, events, books, scenarios and their planted truth."""

"""Ways to let it run: once, on a schedule, in a process that is told to stop."""

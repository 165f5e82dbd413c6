"""Ways to run it: once, on a schedule, in a process that stops at a signal."""

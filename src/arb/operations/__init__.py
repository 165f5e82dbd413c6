"""What an operator asks and commands, and what a running process shares with the shell."""

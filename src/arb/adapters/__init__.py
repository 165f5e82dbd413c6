"""Where the program meets the world: each folder translates one part of it, and decides nothing."""

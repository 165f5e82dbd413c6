"""The application: the order of things, with no input or output of its own."""

"""What the API and the command line show: one document for both, as plain data classes."""

"""What tests and plugin authors build their worlds with."""

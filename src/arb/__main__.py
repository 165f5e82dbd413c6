"""`python -m arb`."""

from arb.cli.app import main

main()

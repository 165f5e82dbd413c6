from arb.cli.app import main

main()

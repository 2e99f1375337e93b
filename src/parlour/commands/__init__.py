"""What the command line does; cli.py only names it."""

"""``python -m restyle`` is the command ``restyle``."""

from restyle.cli.app import main

main()

"""``python -m mnbayes.cli``."""

from mnbayes.cli import main

main()

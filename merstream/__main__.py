"""`python -m merstream`: the `mer` command."""

from merstream.app import main

main()

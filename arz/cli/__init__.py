"""The command line: each command asks one function of the package, and prints what it answers."""

from arz.cli.root import main as main

"""The command line: each command asks one function of the package, and prints what it answers."""

from rl.cli.root import main as main

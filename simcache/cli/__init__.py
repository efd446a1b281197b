"""The command line: each command asks one function of the packages below, and prints its report."""

from simcache.cli.root import main as main
